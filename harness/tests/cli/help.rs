//! Help texts: of every verb that `--help` lists, at the widths of terminals.

use std::process::Command;

/// The help of a verb on a terminal this wide.
pub fn help(verb: &[String], columns: usize) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cpuid-fidelity"))
        .args(verb)
        .arg("--help")
        .env("COLUMNS", columns.to_string())
        .output()
        .expect("the binary");
    assert!(output.status.success(), "{verb:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The section of a help text below this heading, up to the next one: headings are not indented.
fn section<'a>(help: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let lines = help.lines().skip_while(move |line| *line != heading);
    lines
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
}

/// Every verb, and every verb of a verb, as it is typed; the program itself is the empty one.
pub fn verbs() -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut at = 0;
    while at < all.len() {
        let text = help(&all[at], 100);
        // Continuations are indented further.
        let names = section(&text, "Commands:")
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        let below: Vec<Vec<String>> = names
            .map(|name| [&all[at][..], &[name.to_owned()]].concat())
            .collect();
        all.extend(below);
        at += 1;
    }
    assert!(all.len() > 20, "{all:?}");
    all
}

#[test]
fn the_help_of_every_verb_fits_terminals_of_80_and_100_columns() {
    for verb in verbs() {
        for columns in [80, 100] {
            let text = help(&verb, columns);
            // clap breaks no usage line.
            let lines = text.lines().filter(|line| !line.starts_with("Usage: "));
            let long: Vec<&str> = lines
                .filter(|line| line.chars().count() > columns)
                .collect();
            assert!(long.is_empty(), "{verb:?} at {columns}: {long:#?}");
        }
    }
}

#[test]
fn every_verb_says_what_it_does_and_how_it_is_typed() {
    for verb in verbs() {
        let text = help(&verb, 100);
        let about = text.lines().next().unwrap_or_default();
        assert!(
            !about.is_empty() && !about.starts_with("Usage"),
            "{verb:?}:\n{text}"
        );
        let typed = [&["cpuid-fidelity".to_owned()], &verb[..]]
            .concat()
            .join(" ");
        assert!(
            text.contains(&format!("\nUsage: {typed}")),
            "{verb:?}:\n{text}"
        );
    }
}

#[test]
fn every_option_of_every_verb_is_described() {
    for verb in verbs() {
        let text = help(&verb, 100);
        let lines: Vec<&str> = section(&text, "Options:").collect();
        assert!(
            lines.iter().any(|line| line.contains("--help")),
            "{verb:?}:\n{text}"
        );
        let options = (0..lines.len()).filter(|at| lines[*at].trim_start().starts_with('-'));
        // Values of an option are listed behind `- `.
        for at in options.filter(|at| !lines[*at].trim_start().starts_with("- ")) {
            let described = lines
                .get(at + 1)
                .is_some_and(|line| !line.trim().is_empty());
            let beside = lines[at].trim_start().split_once("  ").is_some();
            assert!(described || beside, "{verb:?}: {}", lines[at]);
        }
    }
}
