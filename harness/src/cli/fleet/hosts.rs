//! What HOST names → hosts: files are found, read and put together, several at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cpuid_fidelity::fleet::{Host, HostFile, Reading};
use cpuid_fidelity::input::{Format, Input, read};
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::open;
use cpuid_fidelity::util::order::natural;
use rayon::prelude::*;

/// A host, and its files.
type Named = (String, Vec<PathBuf>);

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Those that say nothing, and why.
    pub refused: Vec<String>,
    /// Files that were named twice.
    pub twice: Vec<String>,
}

/// All hosts that the command line names.
///
/// # Errors
/// A file or folder that is not there.
pub fn hosts(names: &[String], reading: &Reading<'_>) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let named = named(names, &mut found)?;
    let all: Vec<Result<Vec<Host>, String>> = named
        .par_iter()
        .map(|host| of_files(host, reading))
        .collect();
    for one in all {
        match one {
            Ok(hosts) => found.hosts.extend(hosts),
            Err(reason) => found.refused.push(reason),
        }
    }
    Ok(found)
}

/// Hosts by name, in the order in which they are named.
fn named(names: &[String], found: &mut Found) -> anyhow::Result<Vec<Named>> {
    let mut all: Vec<Named> = Vec::new();
    for name in names {
        all.extend(entries(name)?);
    }
    let short = file_names(&all);
    let mut hosts: Vec<Named> = Vec::new();
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    for (host, files) in all {
        let host = short.get(&host).cloned().unwrap_or(host);
        for file in files {
            let is_new = file == Path::new("-") || seen.insert(canonical(&file));
            if !is_new {
                found.twice.push(file.display().to_string());
                continue;
            }
            let place = *at.entry(host.clone()).or_insert_with(|| {
                hosts.push((host.clone(), Vec::new()));
                hosts.len() - 1
            });
            hosts[place].1.push(file);
        }
    }
    Ok(hosts)
}

fn canonical(file: &Path) -> PathBuf {
    std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

/// The file name of a host that is named by its path alone, by that path: it is called as in a folder of hosts. Where two files have the
/// same name, or a host is called so, both keep their paths.
fn file_names(all: &[Named]) -> BTreeMap<String, String> {
    let by_path = |(host, files): &Named| match files.as_slice() {
        [file] if Path::new(host) == file => Some(file.file_name()?.to_string_lossy().into_owned()),
        _ => None,
    };
    let mut files_of: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for host in all {
        let name = by_path(host).unwrap_or_else(|| host.0.clone());
        let files = host.1.iter().map(|file| canonical(file));
        files_of.entry(name).or_default().extend(files);
    }
    let short = all.iter().filter_map(|host| {
        let name = by_path(host)?;
        (files_of.get(&name)?.len() == 1).then(|| (host.0.clone(), name))
    });
    short.collect()
}

/// The hosts of one argument.
fn entries(name: &str) -> anyhow::Result<Vec<Named>> {
    let path = Path::new(name);
    if name == "-" || path.is_file() {
        return Ok(vec![(name.to_owned(), vec![path.to_owned()])]);
    }
    if path.is_dir() {
        return folder(path).with_context(|| format!("failed to read {name}"));
    }
    match name.split_once('=') {
        Some((host, file)) if file == "-" || Path::new(file).exists() => {
            Ok(vec![(host.to_owned(), vec![PathBuf::from(file)])])
        }
        _ => {
            // A pipe, or nothing: opening it says which.
            std::fs::metadata(path).with_context(|| format!("failed to read {name}"))?;
            Ok(vec![(name.to_owned(), vec![path.to_owned()])])
        }
    }
}

/// Each file is a host, and each folder in it one with several files.
fn folder(path: &Path) -> std::io::Result<Vec<Named>> {
    let mut hosts = Vec::new();
    for entry in sorted(path)? {
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let files = if entry.is_dir() {
            sorted(&entry)?
                .into_iter()
                .filter(|file| file.is_file())
                .collect()
        } else {
            vec![entry]
        };
        hosts.push((name, files));
    }
    Ok(hosts)
}

fn sorted(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: Result<Vec<PathBuf>, std::io::Error> = std::fs::read_dir(path)?
        .map(|entry| Ok(entry?.path()))
        .collect();
    let mut entries = entries?;
    entries.sort_by_cached_key(|path| natural(&path.to_string_lossy()));
    Ok(entries)
}

/// The hosts of files that belong together: one, but for a file with dumps of several.
fn of_files((name, files): &Named, reading: &Reading<'_>) -> Result<Vec<Host>, String> {
    let read: Result<Vec<HostFile>, String> =
        files.iter().map(|file| of_file(file, reading)).collect();
    let read = read?;
    let parts = match read.as_slice() {
        [only] => split(name, only),
        _ => vec![(name.clone(), read)],
    };
    parts
        .iter()
        .map(|(name, files)| Host::new(name, files, reading).map_err(|refusal| refusal.to_string()))
        .collect()
}

fn of_file(path: &Path, reading: &Reading<'_>) -> Result<HostFile, String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("failed to read {}: {error}", path.display());
    let bytes = open::data(path, RECORD).map_err(|error| failed(&error))?;
    let inputs = read(&bytes, reading.table).map_err(|error| failed(&error))?;
    Ok(HostFile {
        name: path.display().to_string(),
        inputs,
    })
}

/// Dumps of several hosts in one file are several hosts; answers about one host are one.
fn split(name: &str, file: &HostFile) -> Vec<(String, Vec<HostFile>)> {
    let one = |name: String, inputs: Vec<Input>| {
        (
            name,
            vec![HostFile {
                name: file.name.clone(),
                inputs,
            }],
        )
    };
    let is_one = file
        .inputs
        .iter()
        .any(|input| input.machine.is_some() || input.record.is_some());
    let of_one = [
        Format::Qmp,
        Format::CpuGather,
        Format::CpuData,
        Format::DomainCapabilities,
    ];
    let together = file.inputs.len() == 1
        || is_one
        || file
            .inputs
            .iter()
            .any(|input| of_one.contains(&input.format));
    let is_node = file.inputs.iter().all(|input| input.format == Format::Node);
    if together && !is_node {
        return vec![one(name.to_owned(), file.inputs.clone())];
    }
    let numbered = (1..).zip(&file.inputs);
    numbered
        .map(|(number, input)| {
            let title = input.title.clone().filter(|_| is_node);
            one(
                title.unwrap_or_else(|| format!("{name}#{number}")),
                vec![input.clone()],
            )
        })
        .collect()
}
