//! The table of facts as its file.

use crate::check::behaviour::{Fact, Facts};

/// The comment at the head of a file, which says what its columns are.
pub fn head(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The whole file.
pub fn render(facts: &Facts, head: &str) -> String {
    let recorded = facts.recorded.iter().map(|one| {
        let machine = crate::check::behaviour::ground::named(&one.family, &one.host);
        format!("recorded\t{machine}\t{}\n", one.releases.join(" "))
    });
    let rows = facts.rows.iter().map(|row| line(row) + "\n");
    let lines: String = recorded.chain(rows).collect();
    format!("{head}{lines}")
}

/// A row, as it is read.
pub fn line(fact: &Fact) -> String {
    let place = match (&fact.from, &fact.to) {
        (None, None) => String::new(),
        (Some(from), Some(to)) if from == to => format!(" {from}"),
        (from, to) => {
            let [from, to] = [from, to].map(|end| end.as_deref().unwrap_or_default());
            format!(" {from}..{to}")
        }
    };
    let conditions = match &fact.conditions[..] {
        [] => "-".to_owned(),
        conditions => conditions.join(","),
    };
    let runner = fact.runner();
    let (probe, when, note) = (&fact.probe, fact.when.name(), &fact.note);
    let answers = fact.answers.join(",");
    format!("{runner}{place}\t{probe}\t{when}\t{answers}\t{conditions}\t{note}")
}
