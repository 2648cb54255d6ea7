//! The files under `expectations/`: models, TCG, differences, machine types, pairs of releases, migrations.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cpuid_fidelity::check::groups::{Groups, Models, Sets};
use cpuid_fidelity::check::releases::{Releases, Scope};
use cpuid_fidelity::cpuid::parse::{lines, parse_masked};
use cpuid_fidelity::cpuid::{Line, Volatile, parse, render};
use cpuid_fidelity::expectation::Files;
use cpuid_fidelity::expectation::delta::{base_of, collapse, expand};
use cpuid_fidelity::expectation::whole::compared_models;
use cpuid_fidelity::util::snapshot;

use super::seeds::{TABLE, contents, files, lossy, path, text, whole};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "expectation",
        shape: Shape::Text,
        seeds: || [whole(&["qemu-5.2/models", "qemu-5.2/tcg"]), recorded()].concat(),
        executions: 60,
        read: read_expectation,
    },
    Reader {
        name: "expectation-delta",
        shape: Shape::Text,
        seeds: || contents(&["expectations/qemu-11.1/models", "expectations/qemu-7.2/tcg"]),
        executions: 400,
        read: read_delta,
    },
    Reader {
        name: "snapshot-header",
        shape: Shape::Text,
        seeds: || files("expectations/qemu-11.1/models", ".snap"),
        executions: 1000,
        read: |bytes| snapshot::content(&lossy(bytes)).is_some(),
    },
    Reader {
        name: "machine-type",
        shape: Shape::Text,
        seeds: || whole(&["qemu-7.2/machines", "qemu-11.1/machines"]),
        executions: 40,
        read: read_machine,
    },
    Reader {
        name: "releases",
        shape: Shape::Text,
        seeds: || whole(&["releases"]),
        executions: 20,
        read: read_releases,
    },
    Reader {
        name: "migration",
        shape: Shape::Text,
        seeds: || whole(&["migration/qemu-7.2..qemu-11.1/definition"]),
        executions: 60,
        read: read_machine,
    },
];

/// Models and machine types of a release.
static SCOPE: LazyLock<Scope> = LazyLock::new(|| {
    let known = Files::new(&path("expectations")).known().clone();
    let sets = Sets::parse(&text("expectations/sets.toml")).expect("sets");
    let machines = known.iter().filter_map(|path| {
        let name = path
            .strip_prefix("qemu-7.2/machines/")?
            .strip_suffix(".snap")?;
        Some(name.to_owned())
    });
    Scope {
        machines: machines.collect::<BTreeSet<String>>(),
        models: Models::new(compared_models("qemu-7.2", &known), &sets),
    }
});

/// Dumps without masks, as text.
fn recorded() -> Vec<Vec<u8>> {
    let all = files("harness/tests/records", ".snap");
    let whole = all
        .into_iter()
        .filter_map(|file| snapshot::content(&lossy(&file)));
    whole.map(String::into_bytes).collect()
}

fn joined(lines: &[Line]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn read_expectation(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let read = lines(&text);
    let taken = read.is_ok();
    if let Ok(read) = read {
        assert_eq!(lines(&joined(&read)), Ok(read), "lines are read as written");
    }
    let _ = parse_masked(&text);
    let Ok(dump) = parse(&text) else {
        return taken;
    };
    let lines = render(&dump, &TABLE, &Volatile::default());
    if let Ok(read) = parse(&joined(&lines)) {
        let again = render(&read, &TABLE, &Volatile::default());
        assert_eq!(again, lines, "what is read from lines has the same lines");
    }
    true
}

fn read_delta(bytes: &[u8]) -> bool {
    let text = lossy(bytes);
    let base = "a\nb\nc".lines().map(Into::into).collect::<Vec<_>>();
    let numbered = text.lines().enumerate();
    let _ = base_of(&text);
    let _ = expand(numbered.clone().skip(1), &base);
    // Every line added to nothing.
    let added: Vec<String> = text.lines().map(|line| format!("+{line}")).collect();
    let whole = expand(added.iter().map(String::as_str).enumerate(), &[]);
    let Ok(whole) = whole else { return false };
    let whole = whole.join("\n");
    let few = whole.lines().next().unwrap_or_default();
    if let Some(changes) = collapse(&whole, "x.snap", few) {
        let base: Vec<_> = few.lines().map(Into::into).collect();
        let expanded = expand(changes.lines().enumerate().skip(1), &base);
        assert_eq!(
            expanded.map(|lines| lines.join("\n")),
            Ok(whole),
            "a difference gives the whole"
        );
    }
    true
}

fn read_machine(bytes: &[u8]) -> bool {
    let models = &SCOPE.models;
    let Ok(groups) = Groups::parse(&lossy(bytes), models) else {
        return false;
    };
    let again = Groups::parse(&groups.render(models), models);
    assert_eq!(again, Ok(groups), "groups are read as written");
    true
}

fn read_releases(bytes: &[u8]) -> bool {
    let Ok(releases) = Releases::parse(&lossy(bytes), &SCOPE) else {
        return false;
    };
    let text = releases.render(&SCOPE);
    let again = Releases::parse(&text, &SCOPE).map(|again| again.render(&SCOPE));
    assert_eq!(again, Ok(text), "groups are read as written");
    true
}
