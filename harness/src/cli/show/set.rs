//! `show --feature`: which features of a set are there.

use cpuid_fidelity::cpuid::table::{Field, Table};
use cpuid_fidelity::input::{Cpu, Input, Known, Presence};
use cpuid_fidelity::util::printable::line;
use serde_json::{Value, json};

use crate::cli::common::feature::Features;
use crate::cli::common::subject::Subject;

/// One processor's answer: names by what is known of each.
struct Answer<'a> {
    present: Vec<&'a str>,
    absent: Vec<&'a str>,
    unknown: Vec<&'a str>,
}

impl<'a> Answer<'a> {
    fn new(input: &Input, wanted: &Features<'a>, table: &Table) -> Answer<'a> {
        let none = Cpu::default();
        let known = Known::new(input, input.cpus.first().unwrap_or(&none), table);
        let having = |presence: Presence| {
            let having = |field: &&&'a Field| known.presence(field) == presence;
            let fields = wanted.fields.iter().filter(having);
            fields.map(|field| field.name.as_str()).collect()
        };
        Answer {
            present: having(Presence::Present),
            absent: having(Presence::Absent),
            unknown: having(Presence::Unknown),
        }
    }

    fn parts(&self) -> [(&'static str, &[&'a str]); 3] {
        [
            ("has", self.present.as_slice()),
            ("lacks", self.absent.as_slice()),
            ("not known", self.unknown.as_slice()),
        ]
    }
}

/// A line for each of has, lacks and not known, below the name of each dump.
pub fn text(subject: &Subject, wanted: &Features<'_>, table: &Table) -> String {
    let one = |input: &Input| {
        let answer = Answer::new(input, wanted, table);
        let parts = answer.parts();
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let rows = parts.map(|(title, names)| format!("  {title:<9}  {}\n", names.join(" ")));
        let title = input.title.as_deref().unwrap_or(&subject.title);
        format!("{}\n{}", line(title), rows.collect::<String>())
    };
    subject.inputs.iter().map(one).collect()
}

/// An object for each dump.
pub fn objects(subject: &Subject, wanted: &Features<'_>, table: &Table) -> Vec<Value> {
    let one = |input: &Input| {
        let answer = Answer::new(input, wanted, table);
        json!({
            "title": input.title.as_deref().unwrap_or(&subject.title),
            "present": answer.present,
            "absent": answer.absent,
            "unknown": answer.unknown,
        })
    };
    subject.inputs.iter().map(one).collect()
}
