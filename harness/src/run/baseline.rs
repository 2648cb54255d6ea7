//! A host's baseline: all its layers and the guests of its KVM lanes, recorded in a folder, and held against later.
//!
//! `host.json` is the host; every case of a KVM lane is an [`Evidence`] under its name, `kvm/qemu-11.1/-/486-v1.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::{Finding, baseline};
use crate::evidence::record::VERSION;
use crate::evidence::{Evidence, HostRecord, RecordError};
use crate::expectation::Store;
use crate::host::HostLayer;
use crate::util::limits::RECORD;
use crate::util::open;

/// Name of the host's file.
pub(super) const HOST: &str = "host.json";

/// What was recorded.
#[derive(Clone, Debug)]
pub struct Baseline {
    host: HostRecord,
    cases: BTreeMap<String, Evidence>,
}

impl Baseline {
    /// Reads a folder that [`write`](super::record_host::write) wrote.
    ///
    /// # Errors
    /// A file that cannot be read or is no record; a folder without a host's file is no baseline.
    pub fn read(folder: &Path) -> Result<Baseline, RecordError> {
        let path = folder.join(HOST);
        let unread = |source| RecordError::Read {
            path: path.clone(),
            source,
        };
        let text = open::text(&path, RECORD).map_err(unread)?;
        let host: HostRecord = serde_json::from_str(&text).map_err(|source| RecordError::Form {
            path: path.clone(),
            source,
        })?;
        if host.record != VERSION {
            let found = host.record;
            return Err(RecordError::Version { path, found });
        }
        let mut cases = BTreeMap::new();
        for file in records(folder).map_err(|source| RecordError::Read {
            path: folder.to_owned(),
            source,
        })? {
            let name = file
                .strip_prefix(folder)
                .unwrap_or(&file)
                .with_extension("");
            cases.insert(name.display().to_string(), Evidence::read(&file)?);
        }
        Ok(Baseline { host, cases })
    }

    /// What a case shows now and did not then, or the other way round: the host itself, or a guest; that it was not recorded, of a lane that
    /// baselines have.
    pub fn since(&self, store: &Store, case: &str, now: &Evidence) -> Vec<Finding> {
        if now.guest.vcpus.is_empty() {
            return self.host_since(store, now);
        }
        let Some(then) = self.cases.get(case) else {
            // A case that nobody recorded need not be as it was.
            let missing = now.case.lane.uses_this_kvm() && now.case.host.is_none();
            return missing.then(baseline::not_recorded).into_iter().collect();
        };
        let lines = |evidence: &Evidence| evidence.guest_lines(&store.table, &store.volatile);
        baseline::guests(&lines(then), &lines(now))
    }

    fn host_since(&self, store: &Store, now: &Evidence) -> Vec<Finding> {
        let Some(host) = now.host.as_deref() else {
            return Vec::new();
        };
        let kvm = now.kvm.clone().map(|kvm| (*kvm).clone());
        let then = (&self.host.host, &self.host.kvm);
        baseline::hosts(then, (host, &kvm), &store.table)
    }

    /// What may be the cause of a change, in a sentence.
    pub fn context(&self) -> String {
        baseline::context(&self.host.host, &HostLayer::of_this_host()).join("; ")
    }
}

/// Every record below the folder but the host's.
fn records(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            let json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if path.is_dir() {
                open.push(path);
            } else if json && path != folder.join(HOST) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
