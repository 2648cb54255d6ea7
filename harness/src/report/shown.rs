//! A run as reports show it: a copy in which every text is printable, and one line where one line is meant.
//!
//! Reports take a [`Shown`] and nothing else, so that none of them can forget it. A new field of a row does not compile before it is here.

use std::collections::{BTreeSet, HashMap};

use crate::check::behaviour::Deviation;
use crate::check::place::{Location, Place};
use crate::check::{CheckId, Finding, Layer};
use crate::cpuid::line::{self, Line};
use crate::evidence::flow::Step;
use crate::host::HostKind;
use crate::results::crossing::{Binary, Crossed, Crossing};
use crate::results::history::Compared;
use crate::results::linux::LinuxSeen;
use crate::results::migration::Migration;
use crate::results::row::Key;
use crate::results::{Head, Row, RunFile};
use crate::util::printable;

/// The copy of a run, and what is new in it since the nights before.
#[derive(Clone, Debug)]
pub struct Shown {
    head: Head,
    rows: Vec<Row>,
    compared: Option<Compared>,
}

impl Shown {
    /// Of a run, and what holding it against earlier nights came to.
    pub fn new(file: &RunFile, compared: Option<&Compared>) -> Shown {
        let RunFile { head, rows, .. } = file;
        Shown {
            head: head_of(head),
            compared: compared.map(compared_of),
            ..Shown::of_rows(rows)
        }
    }

    /// Of cases alone.
    pub fn of_rows(rows: &[Row]) -> Shown {
        Shown {
            head: Head::default(),
            rows: rows.iter().map(row).collect(),
            compared: None,
        }
    }

    /// The run's first line.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its cases.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What is new, by the printable names of cases.
    pub fn compared(&self) -> Option<&Compared> {
        self.compared.as_ref()
    }
}

/// The copy of one case.
pub fn row(row: &Row) -> Row {
    row.printable()
}

fn head_of(head: &Head) -> Head {
    let mut shown = head.clone();
    for text in [&mut shown.tool, &mut shown.plan.id, &mut shown.started] {
        *text = text.printable();
    }
    for text in [
        &mut shown.host.id,
        &mut shown.host.cpu,
        &mut shown.host.kernel,
        &mut shown.host.microcode,
    ] {
        *text = text.printable();
    }
    shown
}

fn compared_of(compared: &Compared) -> Compared {
    Compared {
        trends: keyed(&compared.trends),
        since: keyed(&compared.since),
    }
}

fn keyed<T: Copy>(by_case: &HashMap<Key, T>) -> HashMap<Key, T> {
    let entry = |((case, host), value): (&Key, &T)| ((case.printable(), host.printable()), *value);
    by_case.iter().map(entry).collect()
}

/// A copy in which every text is printable.
trait Printable {
    fn printable(&self) -> Self;
}

impl Printable for String {
    fn printable(&self) -> String {
        printable::line(self).into_owned()
    }
}

impl<T: Printable> Printable for Option<T> {
    fn printable(&self) -> Option<T> {
        self.as_ref().map(T::printable)
    }
}

impl<T: Printable> Printable for Vec<T> {
    fn printable(&self) -> Vec<T> {
        self.iter().map(T::printable).collect()
    }
}

impl<T: Printable + Ord> Printable for BTreeSet<T> {
    fn printable(&self) -> BTreeSet<T> {
        self.iter().map(T::printable).collect()
    }
}

impl Printable for Row {
    fn printable(&self) -> Row {
        Row {
            case: self.case.printable(),
            trial: self.trial.printable(),
            lane: self.lane,
            qemu: self.qemu.printable(),
            machine: self.machine.printable(),
            cpu: self.cpu.printable(),
            resolved: self.resolved.printable(),
            smp: self.smp.printable(),
            status: self.status,
            // Of several lines: messages of QEMU and of kernels.
            reason: printable::text(&self.reason).into_owned(),
            duration_ms: self.duration_ms,
            // To be quoted for a shell, which spells out what is hidden in its own way.
            command: self.command.clone(),
            reproduce: self.reproduce.clone(),
            changes: self.changes.printable(),
            waivers: self.waivers.printable(),
            host: self.host.printable(),
            emulated: self.emulated.printable(),
            seen: self.seen.printable(),
            flow: self.flow.printable(),
            behaviour: self.behaviour.printable(),
            linux: self.linux.printable(),
            migration: self.migration.printable(),
            crossing: self.crossing.printable(),
        }
    }
}

impl Printable for HostKind {
    fn printable(&self) -> HostKind {
        HostKind {
            modules: self.modules.printable(),
            vendor: self.vendor.printable(),
        }
    }
}

impl Printable for Deviation {
    fn printable(&self) -> Deviation {
        Deviation {
            probe: self.probe.printable(),
            feature: self.feature.printable(),
            verdict: self.verdict,
            answer: self.answer.printable(),
            expected: self.expected,
        }
    }
}

impl Printable for Finding {
    fn printable(&self) -> Finding {
        Finding {
            check: CheckId::from(printable::line(self.check.name()).as_ref()),
            kind: self.kind,
            place: self.place.printable(),
            name: self.name.printable(),
            expected: self.expected.printable(),
            actual: self.actual.printable(),
            layer: Layer::from(printable::line(self.layer.name()).as_ref()),
            minus: self.minus.printable(),
            plus: self.plus.printable(),
            origin: self.origin,
            nearest: self.nearest.printable(),
        }
    }
}

impl Printable for Place {
    fn printable(&self) -> Place {
        let location = match &self.location {
            Location::Cpuinfo(field) => Location::Cpuinfo(field.printable()),
            Location::Section { section, address } => Location::Section {
                section: *section,
                address: address.printable(),
            },
            Location::Other(text) => Location::Other(text.printable()),
            numbers @ (Location::Whole | Location::Cpuid { .. } | Location::Msr { .. }) => {
                numbers.clone()
            }
        };
        Place {
            side: self.side,
            location,
        }
    }
}

impl Printable for Line {
    fn printable(&self) -> Line {
        Line {
            place: line::Place {
                vcpu: self.place.vcpu,
                register: self.place.register,
                address: self.place.address.printable(),
                bits: self.place.bits.printable(),
            },
            text: self.text.printable(),
        }
    }
}

impl Printable for Binary {
    fn printable(&self) -> Binary {
        Binary {
            path: self.path.printable(),
            version: self.version.printable(),
            package: self.package.printable(),
            label: self.label.printable(),
        }
    }
}

impl Printable for Step {
    fn printable(&self) -> Step {
        Step {
            layer: self.layer.printable(),
            present: self.present,
            lost: self.lost.printable(),
            gained: self.gained.printable(),
        }
    }
}

impl Printable for LinuxSeen {
    fn printable(&self) -> LinuxSeen {
        LinuxSeen {
            release: self.release.printable(),
            command_line: self.command_line.printable(),
            flags: self.flags.printable(),
            vmx_flags: self.vmx_flags.printable(),
            bugs: self.bugs.printable(),
        }
    }
}

impl Printable for Migration {
    fn printable(&self) -> Migration {
        Migration {
            from: self.from.printable(),
            to: self.to.printable(),
            way: self.way,
            outcome: self.outcome,
            sides: self.sides.printable(),
            message: printable::text(&self.message).into_owned(),
            total_ms: self.total_ms,
            downtime_ms: self.downtime_ms,
            ram_bytes: self.ram_bytes,
        }
    }
}

impl Printable for Crossing {
    fn printable(&self) -> Crossing {
        Crossing {
            from: self.from.printable(),
            by: self.by,
            outcome: self.outcome,
            lacking: self.lacking.printable(),
            changes: self.changes.printable(),
            command: self.command.clone(),
        }
    }
}

impl Printable for Crossed {
    fn printable(&self) -> Crossed {
        Crossed {
            kind: self.kind,
            name: self.name.printable(),
            place: self.place.printable(),
            before: self.before.printable(),
            after: self.after.printable(),
            review: self.review.printable(),
        }
    }
}
