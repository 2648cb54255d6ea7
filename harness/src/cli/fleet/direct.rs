//! The answer's table given to KVM without QEMU: to this machine's KVM, and to that of each emulated host.

use std::sync::Arc;

use cpuid_fidelity::case::{Case, Lane, Qemu, Topology};
use cpuid_fidelity::check::{Finding, given_and_seen};
use cpuid_fidelity::evidence::HostRecord;
use cpuid_fidelity::fleet::{GivenTable, Host, HostFile, Page, PageDirect, Reading};
use cpuid_fidelity::host::KvmLayer;
use cpuid_fidelity::input::read;
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::vmm::kvm::CpuidTable;

use super::labs::Labs;
use crate::cli::common::kernel::Kernel;
use crate::cli::common::place::{self, Guest};
use crate::cli::context::Context;

/// This machine, as reports call it.
const HERE: &str = "this machine";
/// Missing features that a line names.
const NAMED: usize = 6;

/// A KVM that may run it.
struct Ground<'a> {
    name: &'a str,
    vendor: String,
    gives: Vec<String>,
    of_fleet: bool,
    case: Case,
}

/// Runs each table on each KVM that can give it; of the others it is said why they cannot.
///
/// # Errors
/// A host has no place for the guest.
pub fn direct(
    context: &Context,
    labs: Option<&Labs>,
    reading: &Reading<'_>,
    tables: &[GivenTable],
    page: &Page,
) -> anyhow::Result<Vec<PageDirect>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    match here(context, reading)? {
        Ok(ground) => {
            let engine = context.engine()?;
            let tried = |table| tried(&engine, &ground, table, reading);
            all.extend(tables.iter().map(tried));
        }
        Err(reason) => all.extend(tables.iter().map(|table| PageDirect {
            not_tried: reason.clone(),
            ..row(HERE, table)
        })),
    }
    let Some(labs) = labs else { return Ok(all) };
    for (lab, _) in &labs.hosts {
        let class = page
            .classes
            .iter()
            .find(|class| class.hosts.contains(&lab.name));
        let own = tables.iter().find(|table| table.hosts.contains(&lab.name));
        let (Some(class), Some(table)) = (class, own) else {
            continue;
        };
        let ground = Ground {
            name: &lab.name,
            vendor: class.vendor.clone(),
            gives: class.gives.clone(),
            of_fleet: true,
            case: case(context, &lab.kernel)?,
        };
        all.push(tried(&labs.engine, &ground, table, reading));
    }
    Ok(all)
}

fn row(place: &str, table: &GivenTable) -> PageDirect {
    let (first, more) = (table.hosts.first(), table.hosts.len().saturating_sub(1));
    let first = first.cloned().unwrap_or_default();
    PageDirect {
        place: place.to_owned(),
        hosts: match (more, table.hosts.get(1)) {
            (1, Some(second)) => format!("{first}, {second}"),
            (0, _) => first,
            _ => format!("{first} and {more} more"),
        },
        rows: table.answers.len(),
        ..PageDirect::default()
    }
}

/// This machine's KVM; or why there is none.
fn here<'a>(
    context: &Context,
    reading: &Reading<'_>,
) -> anyhow::Result<Result<Ground<'a>, String>> {
    if let Err(error) = KvmLayer::of_this_host() {
        return Ok(Err(format!("no KVM: {error}")));
    }
    let text = serde_json::to_string(&HostRecord::of_this_host())?;
    let file = HostFile {
        name: HERE.to_owned(),
        inputs: read(text.as_bytes(), reading.table)?,
    };
    let host = match Host::new(HERE, &[file], reading) {
        Ok(host) => host,
        Err(refusal) => return Ok(Err(refusal.to_string())),
    };
    let gives = reading.catalogue.names(host.facts.gives);
    Ok(Ok(Ground {
        name: HERE,
        vendor: host.facts.vendor.unwrap_or_default(),
        gives: gives.into_iter().map(str::to_owned).collect(),
        of_fleet: false,
        case: case(context, &Kernel::default())?,
    }))
}

/// A guest that is no QEMU's.
fn case(context: &Context, kernel: &Kernel) -> anyhow::Result<Case> {
    let guest = Guest {
        qemu: Arc::new(Qemu::none()),
        lane: Lane::KVM_DIRECT,
        machine: "-",
        cpu: "the answer's table",
        smp: &Topology::single(),
        kernel,
    };
    place::case(context, &guest)
}

fn tried(
    engine: &Engine,
    ground: &Ground<'_>,
    table: &GivenTable,
    reading: &Reading<'_>,
) -> PageDirect {
    let mut own = PageDirect {
        of_fleet: ground.of_fleet,
        ..row(ground.name, table)
    };
    if let Some(reason) = in_the_way(ground, table) {
        own.not_tried = reason;
        return own;
    }
    let given = CpuidTable::of_answers(&table.answers);
    let (case, options) = (&ground.case, &engine.bench.options);
    let boot = || engine.bench.boot_table(case, &given, options);
    match engine.bench.on_its_thread(case, boot) {
        Err(broken) => own.not_tried = broken.reason,
        Ok(seen) => {
            let found = given_and_seen(&seen.given, &seen.dump, reading.table);
            own.differing = found.iter().map(sentence).collect();
        }
    }
    own
}

/// Why this KVM cannot give the table.
fn in_the_way(ground: &Ground<'_>, table: &GivenTable) -> Option<String> {
    if ground.vendor != table.vendor {
        let (own, wanted) = (&ground.vendor, &table.vendor);
        return Some(format!(
            "the table is of {wanted}, and this processor of {own}"
        ));
    }
    let missing = table
        .features
        .iter()
        .filter(|name| !ground.gives.contains(name));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = missing[..missing.len().min(NAMED)].join(" ");
    (!missing.is_empty()).then(|| format!("KVM lacks {named}{more}"))
}

fn sentence(found: &Finding) -> String {
    let Finding {
        name,
        place,
        expected,
        actual,
        ..
    } = found;
    match (expected.as_str(), actual.as_str()) {
        ("", actual) => format!("gained {actual} ({place})"),
        (expected, "") => format!("lost {expected} ({place})"),
        (expected, actual) => format!("{name} ({place}) is {actual}, not {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(vendor: &str, gives: &[&str]) -> Ground<'static> {
        Ground {
            name: HERE,
            vendor: vendor.to_owned(),
            gives: gives.iter().map(|name| (*name).to_owned()).collect(),
            of_fleet: false,
            case: Case::new(&Arc::new(Qemu::none()), Lane::KVM_DIRECT, "-", "supported"),
        }
    }

    #[test]
    fn a_kvm_that_lacks_something_or_is_anothers_cannot_be_asked() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let table = GivenTable {
            hosts: vec!["hv1".to_owned()],
            vendor: "AuthenticAMD".to_owned(),
            answers: [].into(),
            features: names.map(str::to_owned).to_vec(),
        };
        let why = |vendor, gives: &[&str]| in_the_way(&ground(vendor, gives), &table);
        assert_eq!(why("AuthenticAMD", &names), None);
        assert_eq!(
            why("AuthenticAMD", &names[..6]).as_deref(),
            Some("KVM lacks g h")
        );
        assert_eq!(
            why("AuthenticAMD", &[]).as_deref(),
            Some("KVM lacks a b c d e f and 2 more")
        );
        assert_eq!(
            why("GenuineIntel", &names).as_deref(),
            Some("the table is of AuthenticAMD, and this processor of GenuineIntel")
        );
    }
}
