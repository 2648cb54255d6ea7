//! Two or more examples below the help of each verb.

use clap::{Command, CommandFactory as _};

use super::{Arguments, nightly};

/// Verb, and what may be typed behind the program's name.
const EXAMPLES: [(&str, &[&str]); 28] = [
    (
        "run",
        &[
            "run --lane definition --cpu 'EPYC-*'",
            "run --qemu 11.1 --html report.html",
            "run --compat 10.0 11.1 --machine pc-q35-10.0",
        ],
    ),
    (
        "list",
        &["list --lane tcg", "list --qemu 10.0 --format json"],
    ),
    ("releases", &["releases", "releases --format json"]),
    ("models", &["models epyc", "models 'Skylake-*-v4'"]),
    ("machines", &["machines q35", "machines 'pc-i440fx-8.*'"]),
    (
        "behaviour",
        &[
            "behaviour rdseed",
            "behaviour --format markdown",
            "behaviour --check --kernel 6.12 --lab-host intel",
        ],
    ),
    ("features", &["features PCID", "features 'avx512*'"]),
    (
        "check",
        &[
            "check --cpu EPYC-v4 --smp 8,sockets=2,cores=2,threads=2",
            "check --lane kvm --cpu EPYC-Genoa,-svm",
            "check record.json host.txt",
            "check guest.txt --guest --cpu EPYC-v4 --smp 4 --release 10.0",
        ],
    ),
    (
        "dump",
        &[
            "dump --cpu EPYC-v4",
            "dump --lane tcg --cpu max --format raw",
            "dump --host",
        ],
    ),
    (
        "explain",
        &[
            "explain --cpu Skylake-Server --feature avx512f",
            "explain --lane lab --kernel 6.12 --cpu EPYC-Rome --feature avx2",
        ],
    ),
    (
        "fleet",
        &[
            "fleet hv01.json hv02.json hv03=cpuid.txt",
            "fleet inventory/ --prove --since yesterday.json --json today.json",
            "fleet inventory/ --format libvirt",
        ],
    ),
    (
        "lab",
        &[
            "lab --kernel 6.12 --cpu EPYC-Rome-v2",
            "lab --kernel 6.12 --module-param kvm_amd.nested=0 --quiet",
        ],
    ),
    (
        "migrate",
        &[
            "migrate --from 7.2 --to 11.1 --machine pc-q35-7.2 --cpu EPYC-v3",
            "migrate --from 10.0 --to 10.0 --machine pc-q35-10.0 --cpu EPYC-v4 --save",
        ],
    ),
    (
        "libvirt",
        &[
            "libvirt maps",
            "libvirt answers --machine pc-q35-8.2",
            "libvirt diff 9.0 12 --qemu 11.1",
        ],
    ),
    (
        "libvirt maps",
        &["libvirt maps", "libvirt maps --libvirt 11.3 --qemu 10.0"],
    ),
    (
        "libvirt answers",
        &[
            "libvirt answers --machine pc-q35-8.2",
            "libvirt answers --host a.json --host b.json",
        ],
    ),
    (
        "libvirt policies",
        &["libvirt policies", "libvirt policies --qemu 10.0"],
    ),
    (
        "libvirt diff",
        &[
            "libvirt diff 9.0 12 --maps",
            "libvirt diff 9.0 12 --qemu 11.1",
        ],
    ),
    (
        "domain",
        &[
            "domain --cpu EPYC,-avx2",
            "domain --xml domain.xml --native",
            "domain --xml domain.xml --run",
        ],
    ),
    (
        "record",
        &[
            "record --cpu EPYC-v4 --lane tcg --out record.json",
            "record --host-baseline baseline",
        ],
    ),
    (
        "release-day",
        &[
            "release-day --qemu build/qemu-system-x86_64 --notes notes.md",
            "release-day --qemu 10.0 --rehearse --out pending --cpu 'EPYC-*'",
        ],
    ),
    ("nightly", &["nightly", "nightly --lane tcg"]),
    (
        "bisect",
        &[
            "bisect versions --qemu 7.2 10.0 11.1 --case definition/-/-/Skylake-Server-v4",
            "bisect kernel --repo linux --good v6.1 --bad v6.12 --feature fzrm",
        ],
    ),
    (
        "merge",
        &[
            "merge part-1.jsonl part-2.jsonl --json run.jsonl",
            "merge a.jsonl b.jsonl",
        ],
    ),
    (
        "report",
        &[
            "report run.jsonl",
            "report run.jsonl --html report.html --junit run.xml",
        ],
    ),
    (
        "show",
        &[
            "show EPYC-v4",
            "show EPYC-v4 --release 10.0 --lane tcg --format lines",
            "show host.txt --format markdown",
            "show --host",
        ],
    ),
    (
        "catalogue",
        &[
            "catalogue --qemu 11.1",
            "catalogue --check",
            "catalogue --lane lab --kernel 6.12 --lab-host intel --property 'vmx-*'",
        ],
    ),
    (
        "diff",
        &[
            "diff guest.txt EPYC-v4 --release 10.0",
            "diff Skylake-Server Skylake-Server-v5",
            "diff pc-q35-8.2 pc-q35-11.1 --cpu 'EPYC-*'",
        ],
    ),
];

/// The command line, with the examples.
pub fn command() -> Command {
    let command = Arguments::command().mut_subcommand("nightly", nightly::by_night);
    EXAMPLES.iter().fold(command, |command, (verb, lines)| {
        let names: Vec<&str> = verb.split(' ').collect();
        with(command, &names, lines)
    })
}

fn with(command: Command, names: &[&str], lines: &[&str]) -> Command {
    let Some((name, rest)) = names.split_first() else {
        let lines = lines
            .iter()
            .map(|line| format!("\n  cpuid-fidelity {line}"));
        return command.after_help(format!("Examples:{}", lines.collect::<String>()));
    };
    command.mut_subcommand(*name, |below| with(below, rest, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_takes_the_nightly_selection_unless_another_one_is_named() {
        use clap::FromArgMatches as _;
        let taken = |more: &[&'static str]| {
            let words = [&["cpuid-fidelity", "nightly"], more].concat();
            let matches = command().try_get_matches_from(words).expect("a night");
            let arguments = Arguments::from_arg_matches(&matches).expect("arguments");
            format!("{:?}", arguments.verb)
        };
        assert!(taken(&[]).contains("profile: Nightly"));
        assert!(taken(&["--profile", "default"]).contains("profile: Default"));
    }

    #[test]
    fn every_verb_has_two_examples_that_the_command_line_takes() {
        let command = command();
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            let found = EXAMPLES.iter().find(|(named, _)| *named == name);
            let (_, lines) = found.unwrap_or_else(|| panic!("{name} has no example"));
            assert!(lines.len() >= 2, "{name}");
            for line in *lines {
                let words = line.replace('\'', "");
                let words = ["cpuid-fidelity"]
                    .into_iter()
                    .chain(words.split_whitespace());
                assert_eq!(line.split(' ').next(), Some(name));
                let taken = command.clone().try_get_matches_from(words);
                assert!(taken.is_ok(), "{line}: {}", taken.expect_err("an error"));
            }
        }
    }
}
