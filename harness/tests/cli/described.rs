//! `show`: what a person reads of recorded CPU models, of files and of this host.

mod reporters;

use std::process::{Command, Output};

use super::help::verbs;
use super::require::root;

/// `show` in a folder without a configuration, so that the built-in expectations are read.
fn show(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in FILES {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .arg("show")
        .args(arguments)
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .expect("the binary runs")
}

/// `cpuid -r` of two that differ in nothing but their file's name, of which one has `#1` in it.
const FILES: [(&str, &str); 2] = [("a", CPUID), ("a#1", CPUID)];
const CPUID: &str = "CPU 0:\n   0x00000000 0x00: eax=0x00000001 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n   \
                     0x00000001 0x00: eax=0x00000480 ebx=0x00000800 ecx=0x00000000 edx=0x00000001\n";

#[track_caller]
fn shown(arguments: &[&str]) -> String {
    let output = show(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {message}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn refuses(arguments: &[&str], expected: &str) {
    let output = show(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(expected), "{message}");
    assert_eq!(output.status.code(), Some(2), "{message}");
}

#[test]
fn recorded_models_are_described() {
    for model in ["EPYC-v4", "Skylake-Server-v4", "486-v1", "qemu64-v1"] {
        let folder = root().join("harness/tests/cli/described");
        let expected =
            std::fs::read_to_string(folder.join(format!("{model}.txt"))).expect("a text");
        let text = shown(&[model, "--release", "11.1"]);
        assert_eq!(text, expected, "{model}:\n{text}");
    }
}

#[test]
fn text_is_ascii_and_fits_80_columns() {
    for model in [
        "GraniteRapids-v1",
        "EPYC-Turin-v1",
        "Opteron_G5-v1",
        "Denverton-v3",
    ] {
        for arguments in [
            vec![model],
            vec![model, "--release", "11.1", "--machine", "pc-q35-9.2"],
        ] {
            let text = shown(&arguments);
            assert!(text.is_ascii(), "{text}");
            let long: Vec<&str> = text.lines().filter(|line| line.len() > 80).collect();
            assert!(long.is_empty(), "{long:#?}");
        }
    }
}

#[test]
fn a_file_goes_before_a_choice_in_another_one() {
    let title = |name: &str| shown(&[name]).lines().next().map(str::to_owned);
    assert_eq!(title("a").as_deref(), Some("a (cpuid -r)"));
    assert_eq!(title("a#1").as_deref(), Some("a#1 (cpuid -r)"));
    refuses(
        &["a#2"],
        "a has one dump; what can be named:\n    a#1  cpuid -r",
    );
    refuses(&["b/a"], "failed to read b/a: no such file");
    refuses(&["./c"], "failed to read ./c: no such file; near to it: a");
}

#[test]
fn what_is_shown_is_named_once() {
    for arguments in [
        &["EPYC-v4", "--host"][..],
        &["--host", "--cpu", "EPYC"],
        &["EPYC-v4", "--smp", "2"],
        &[],
    ] {
        assert_eq!(show(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert!(verbs().contains(&vec!["show".to_owned()]));
}

#[test]
fn every_format_has_the_same_model() {
    let json = shown(&["486-v1", "--format", "json"]);
    let object: serde_json::Value = serde_json::from_str(&json).expect("one object");
    assert_eq!(object["identity"]["family"], 4);
    assert_eq!(object["psabi"]["next"]["level"], "x86-64-v1");
    let markdown = shown(&["486-v1", "--format", "markdown"]);
    assert!(
        markdown.contains("| Vendor | `GenuineIntel` |\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("- Basic features (01H EDX): `fpu` `pse`\n"),
        "{markdown}"
    );
    let html = shown(&["486-v1", "--format", "html"]);
    assert!(
        html.contains("<tr><th>Vendor</th><td>GenuineIntel</td></tr>\n"),
        "{html}"
    );
    assert!(!html.contains("http"), "{html}");
    let lines = shown(&["486-v1", "--format", "lines"]);
    assert!(
        lines.contains("cpuid 0x00000001.00 edx[ 0]     fpu\n"),
        "{lines}"
    );
}

#[test]
fn dump_human_prints_what_show_prints() {
    let dump = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .args(["dump", "--host", "--human"])
        .output()
        .expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&dump.stdout), shown(&["--host"]));
}
