//! `diff` of two inputs of any format: files, recorded CPU models, this host.

use anyhow::Context as _;
use cpuid_fidelity::check::inputs::{compare, phases};
use cpuid_fidelity::describe::{ControlChange, control_changes, describe};
use cpuid_fidelity::input::Input;

use super::arguments::Diff;
use super::shown::Shown;
use super::{json, text};
use crate::cli::common::exit::{NOT_RUN, NotRun, print};
use crate::cli::common::feature::features;
use crate::cli::common::subject::{self, Recorded, named};
use crate::cli::context::Context;

/// Prints what differs; 1 where anything does, 3 where the two have nothing in common that could be compared.
pub fn run(context: &Context, arguments: &Diff) -> anyhow::Result<u8> {
    let a = Side::named(context, arguments, &arguments.a)?;
    let b = match &arguments.b {
        Some(b) => Side::named(context, arguments, b)?,
        None => Side::of_host()?,
    };
    let store = &context.store;
    let mut comparison = compare(&a.input, &b.input, &store.table, &store.volatile);
    let mut lines = phases(&a.input, &b.input, &store.table, &store.volatile);
    let mut controls = controls(context, &a.input, &b.input);
    if let Some(feature) = &arguments.feature {
        let wanted = features(store, feature)?;
        comparison.keep(&wanted.fields);
        lines.clear();
        controls.clear();
    }
    if !comparison.compared_anything() {
        let about = arguments.feature.as_ref();
        let about = about.map(|name| format!(" of {name}")).unwrap_or_default();
        let reason = format!(
            "nothing was compared: {} and {} say nothing of the same bit{about}",
            a.title, b.title
        );
        return Err(NotRun(reason).into());
    }
    let shown = Shown {
        titles: [&a.title, &b.title],
        comparison: &comparison,
        controls: &controls,
        lines: &lines,
    };
    print(&if arguments.json {
        json::lines(&shown)?
    } else {
        text::report(&shown, arguments.all)
    });
    // What was asked for by name and one side does not say was not compared.
    let unsaid = !comparison.unknown_a.is_empty() || !comparison.unknown_b.is_empty();
    if arguments.feature.is_some() && unsaid {
        return Ok(NOT_RUN);
    }
    Ok(u8::from(comparison.differs() || !lines.is_empty()))
}

/// Controls of VMX that differ between two first processors.
fn controls(context: &Context, a: &Input, b: &Input) -> Vec<ControlChange> {
    let store = &context.store;
    let vmx = |input| describe("", input, &store.table, &store.levels).vmx;
    control_changes(&vmx(a), &vmx(b))
}

struct Side {
    title: String,
    input: Input,
}

impl Side {
    fn named(context: &Context, arguments: &Diff, name: &str) -> anyhow::Result<Side> {
        let (name, release, machine) = at(name);
        let recorded = Recorded {
            release: release.or(arguments.release.as_deref()),
            machine: machine.or(arguments.machine.as_deref()),
            lane: Some(arguments.lane),
        };
        let subject = named(context, name, &recorded)?;
        let of_file = subject.title == name;
        let title = subject.title.clone();
        let input = subject.only()?;
        let title = if of_file {
            format!("{title} ({})", input.format)
        } else {
            title
        };
        Ok(Side { title, input })
    }

    fn of_host() -> anyhow::Result<Side> {
        let subject = subject::host()?;
        let title = subject.title.clone();
        let input = subject.only().context("this host")?;
        Ok(Side { title, input })
    }
}

/// `EPYC-v4@10.0@pc-q35-9.2` → the model, its release and its machine type, in any order. A file that is called so is a file.
pub fn at(name: &str) -> (&str, Option<&str>, Option<&str>) {
    if std::path::Path::new(name).exists() {
        return (name, None, None);
    }
    let mut parts = name.split('@');
    let model = parts.next().unwrap_or(name);
    let (mut release, mut machine) = (None, None);
    for part in parts {
        let digits = part.strip_prefix("qemu-").unwrap_or(part);
        if digits.starts_with(|letter: char| letter.is_ascii_digit()) {
            release = Some(part);
        } else {
            machine = Some(part);
        }
    }
    (model, release, machine)
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn a_model_may_have_its_release_and_its_machine_type() {
        let machine = Some("pc-q35-9.2");
        assert_eq!(at("EPYC-v4"), ("EPYC-v4", None, None));
        assert_eq!(at("EPYC-v4@10.0"), ("EPYC-v4", Some("10.0"), None));
        assert_eq!(
            at("EPYC-v4@qemu-10.0"),
            ("EPYC-v4", Some("qemu-10.0"), None)
        );
        assert_eq!(
            at("EPYC-v4@10.0@pc-q35-9.2"),
            ("EPYC-v4", Some("10.0"), machine)
        );
        assert_eq!(
            at("EPYC-v4@pc-q35-9.2@10.0"),
            ("EPYC-v4", Some("10.0"), machine)
        );
    }
}
