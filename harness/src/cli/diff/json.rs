//! Two inputs compared, as JSON lines: what was compared, then a line for each difference.

use cpuid_fidelity::check::inputs::{Difference, Variant};
use cpuid_fidelity::describe::ControlChange;
use cpuid_fidelity::util::printable;
use serde::Serialize;

use super::shown::Shown;

/// The first line.
#[derive(Serialize)]
struct Head<'a> {
    what: &'static str,
    a: &'a str,
    b: &'a str,
    compared: usize,
}

/// A difference, and of which kind.
#[derive(Serialize)]
struct Entry<'a> {
    what: &'static str,
    #[serde(flatten)]
    difference: &'a Difference,
}

/// Processors that differ from the first one of their side.
#[derive(Serialize)]
struct Processors<'a> {
    what: &'static str,
    side: &'static str,
    #[serde(flatten)]
    kind: &'a Variant,
}

/// A control of VMX.
#[derive(Serialize)]
struct Control<'a> {
    what: &'static str,
    #[serde(flatten)]
    change: &'a ControlChange,
}

/// A line of another phase of two dumps.
#[derive(Serialize)]
struct Phase<'a> {
    what: &'static str,
    line: &'a str,
}

/// Everything, typed; what is left out too, for a program can leave it out itself.
pub fn lines(shown: &Shown<'_>) -> serde_json::Result<String> {
    let comparison = shown.comparison;
    let [a, b] = shown.titles;
    let mut text = String::new();
    push(
        &mut text,
        &Head {
            what: "compared",
            a,
            b,
            compared: comparison.compared,
        },
    )?;
    for (what, entries) in [
        ("difference", &comparison.differences),
        ("volatile", &comparison.volatile),
        ("control-state", &comparison.control_state),
        ("unknown-a", &comparison.unknown_a),
        ("unknown-b", &comparison.unknown_b),
    ] {
        for difference in entries {
            push(&mut text, &Entry { what, difference })?;
        }
    }
    for (side, kinds) in [
        ("a", &comparison.processors_a),
        ("b", &comparison.processors_b),
    ] {
        for kind in kinds {
            push(
                &mut text,
                &Processors {
                    what: "processors",
                    side,
                    kind,
                },
            )?;
        }
    }
    for change in shown.controls {
        let what = "vmx-control";
        push(&mut text, &Control { what, change })?;
    }
    for line in shown.lines {
        push(
            &mut text,
            &Phase {
                what: "phase",
                line,
            },
        )?;
    }
    Ok(text)
}

fn push(text: &mut String, line: &impl Serialize) -> serde_json::Result<()> {
    let line = serde_json::to_string(line)?;
    text.push_str(&format!("{}\n", printable::json(&line)));
    Ok(())
}
