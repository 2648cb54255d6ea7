//! What was tried: by what is known of the hosts, on KVM alone, on emulated hosts.

use super::extent::count;
use super::lines::Section;
use super::matrix::{moves, table};
use crate::fleet::lab::PageLab;
use crate::fleet::page::{Page, PageBoot, PageProof};

/// By what is known of the hosts, and booted here; of each vendor apart.
pub(super) fn proofs(page: &Page) -> Vec<Section> {
    let section = |(vendor, own)| (of_vendor("proof", vendor), proof(own));
    page.proofs().map(section).collect()
}

fn of_vendor(what: &str, vendor: &str) -> String {
    match vendor {
        "" => what.to_owned(),
        vendor => format!("{what} for {vendor}"),
    }
}

fn proof(proof: &PageProof) -> Vec<String> {
    let mut lines: Vec<String> = holds(proof).into_iter().collect();
    for (hosts, features) in &proof.filtered {
        let features = features.join(" ");
        lines.push(format!(
            "  FAIL {}: QEMU would filter {features}",
            hosts.label
        ));
    }
    for (hosts, keys) in &proof.differing {
        let keys = keys.join(" ");
        let label = &hosts.label;
        lines.push(format!(
            "  FAIL {label}: a guest would see something else in {keys}"
        ));
    }
    lines.extend(proof.booted.as_ref().map(booted));
    if proof.layout_unknown > 0 {
        lines.push(format!(
            "  of {} nobody knows where XSAVE keeps its components: taken to be as on the others",
            count(proof.layout_unknown, "host")
        ));
    }
    lines
}

fn holds(proof: &PageProof) -> Option<String> {
    let predicted = if proof.predicted > 0 {
        format!(" (a prediction for {})", count(proof.predicted, "host"))
    } else {
        String::new()
    };
    proof.holds.then(|| {
        format!(
            "  with enforce nothing is filtered on any host, and guests see the same in {} registers and MSR features{predicted}",
            proof.compared
        )
    })
}

fn booted(booted: &PageBoot) -> String {
    let qemu = &booted.qemu;
    if !booted.failure.is_empty() {
        format!("  FAIL booted here under {qemu}: {}", booted.failure)
    } else if booted.differing.is_empty() {
        format!(
            "  booted here under {qemu} with its features forced: the guest shows what the answer says"
        )
    } else {
        let differing = booted.differing.join(" ");
        format!("  FAIL booted here under {qemu}: the guest differs from the answer in {differing}")
    }
}

/// The answer's table, given to KVM without QEMU.
pub(super) fn direct(page: &Page) -> Vec<String> {
    page.direct.iter().map(|own| own.describe()).collect()
}

/// The emulated hosts, of each vendor apart.
pub(super) fn labs(page: &Page) -> Vec<Section> {
    let section = |lab: &PageLab| {
        let heading = of_vendor("emulated hosts", &lab.vendor);
        let mut lines = table(lab);
        lines.extend(moves(lab));
        lines.extend(lab.failures().map(|line| format!("  FAIL {line}")));
        lines.extend(verdict(lab));
        (heading, lines)
    };
    page.labs().map(section).collect()
}

fn verdict(lab: &PageLab) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(more) = &lab.more {
        lines.push(if lab.is_tight() {
            format!("  tight: +{more} fails on at least one host")
        } else {
            format!("  FAIL +{more} starts on every host: the answer is not all that they give")
        });
    } else {
        lines.push("  no feature more to try: every host gives the same".to_owned());
    }
    if lab.holds() {
        lines.push("  CLEAN".to_owned());
    }
    lines
}
