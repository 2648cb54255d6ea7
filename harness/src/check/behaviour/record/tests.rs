use std::collections::BTreeSet;

use super::observed::{Answer, Observed};
use super::{head, line, merged, render};
use crate::check::behaviour::{Facts, Ground, When};
use crate::check::fixture::table;
use crate::cpuid::probes::named;

const HEAD: &str = "# What the columns are.\n# 1 family\n";
const FILE: &str = "recorded\ttcg\t7.2 10.0 11.1
recorded\tkvm-intel:skylake\t6.1 6.12
tcg\tfisttp\thidden\truns\t-\tdocs/findings/x.md
tcg ..7.2\trdseed\thidden\truns\t+rdrand\tdocs/findings/y.md
kvm-intel\tadcx\thidden\truns\t-\t-
kvm-intel 6.12..\trdpid\thidden\teax=0x5a\t+rdtscp\t-
kvm-intel 6.12..\trdpid\thidden\teax=0x0\t-rdtscp\t-
";

fn facts(text: &str) -> Facts {
    Facts::parse(text, &table()).expect("facts")
}

fn text(facts: &Facts) -> String {
    render(facts, HEAD)
}

fn ground(name: &str, release: &str) -> Ground {
    let (family, host) = name.split_once(':').unwrap_or((name, ""));
    Ground {
        family: family.to_owned(),
        host: host.to_owned(),
        release: release.to_owned(),
    }
}

/// A guest that announces these features, and what hidden probes gave in it: `rdseed runs`; what is refused is as announced.
fn guest(announced: &str, hidden: &[&str]) -> Observed {
    let answer = |text: &&str| {
        let (probe, token) = text.split_once(' ').expect("a probe and its answer");
        let probe = named(probe).expect("a probe");
        Answer {
            probe: probe.name,
            when: When::Hidden,
            token: token.to_owned(),
            as_announced: probe.refusal.contains(&token),
        }
    };
    Observed {
        announced: announced.split_whitespace().map(str::to_owned).collect(),
        mode: 64,
        is_forced: false,
        answers: hidden.iter().map(answer).collect(),
    }
}

/// The rows that a file has after these guests were seen there, and those that it had not before (`+`) and has no longer (`-`).
fn changes(place: (&str, &str), guests: &[Observed]) -> Vec<String> {
    let before = facts(FILE);
    let names = ["sse", "sse2", "rdrand", "rdtscp"].map(str::to_owned);
    let after = merged(&before, &ground(place.0, place.1), guests, &names).expect("rows");
    assert_eq!(
        facts(&text(&after)),
        after,
        "the file is read as it was written"
    );
    let [old, new] = [&before, &after]
        .map(|facts| -> BTreeSet<String> { facts.rows.iter().map(line).collect() });
    let gone = old.difference(&new).map(|line| format!("-{line}"));
    let added = new.difference(&old).map(|line| format!("+{line}"));
    let plain = |line: String| line.replace('\t', " ");
    gone.chain(added).map(plain).collect()
}

/// What every guest of kvm-intel does by the file: nothing new.
fn as_recorded() -> Vec<Observed> {
    vec![
        guest("rdtscp", &["adcx runs", "rdpid eax=0x5a"]),
        guest("", &["adcx runs", "rdpid eax=0x0"]),
    ]
}

#[test]
fn a_file_is_written_as_it_was_read() {
    let whole = format!("{HEAD}{FILE}");
    assert_eq!(head(&whole), HEAD);
    assert_eq!(text(&facts(&whole)), whole);
}

#[test]
fn guests_that_do_as_was_recorded_change_nothing() {
    assert_eq!(
        changes(("kvm-intel:skylake", "6.12"), &as_recorded()),
        Vec::<String>::new()
    );
}

#[test]
fn another_answer_of_one_release_is_a_row_of_its_own() {
    let tcg = [
        guest("rdrand", &["fisttp runs", "rdseed runs"]),
        guest("", &["rdseed #UD"]),
    ];
    assert_eq!(
        changes(("tcg", "11.1"), &tcg),
        ["+tcg 11.1.. rdseed hidden runs +rdrand docs/findings/y.md",]
    );
    let refused = [guest("rdrand", &["fisttp #UD", "rdseed #UD"])];
    assert_eq!(
        changes(("tcg", "10.0"), &refused),
        [
            "-tcg fisttp hidden runs - docs/findings/x.md",
            "+tcg ..7.2 fisttp hidden runs - docs/findings/x.md",
            "+tcg 11.1.. fisttp hidden runs - docs/findings/x.md",
        ]
    );
}

#[test]
fn a_condition_is_what_tells_the_guests_apart_and_the_probes_own_need_goes_first() {
    let guests = [
        guest("fxsr sse", &["fisttp runs", "addpd runs"]),
        guest("rdrand", &["fisttp runs", "addpd #UD", "rdseed runs"]),
        guest("sse2", &["fisttp runs", "rdseed #UD"]),
    ];
    assert_eq!(
        changes(("tcg", "11.1"), &guests),
        [
            "+tcg 11.1.. addpd hidden runs +fxsr -",
            "+tcg 11.1.. rdseed hidden runs +rdrand docs/findings/y.md",
        ]
    );
}

#[test]
fn two_answers_have_a_condition_each() {
    let guests = [
        guest("rdtscp", &["fisttp runs", "rdpid eax=0x5a"]),
        guest("", &["fisttp runs", "rdpid eax=0x0"]),
    ];
    assert_eq!(
        changes(("tcg", "11.1"), &guests),
        [
            "+tcg 11.1.. rdpid hidden eax=0x0 -rdtscp -",
            "+tcg 11.1.. rdpid hidden eax=0x5a +rdtscp -",
        ]
    );
}

#[test]
fn what_two_features_decide_has_both_as_its_condition() {
    let guests = [
        guest("sse sse2", &["fisttp runs", "clac runs"]),
        guest("sse", &["fisttp runs", "clac #UD"]),
        guest("sse2", &["fisttp runs", "clac #UD"]),
    ];
    let found = changes(("tcg", "11.1"), &guests);
    assert_eq!(found, ["+tcg 11.1.. clac hidden runs +sse,+sse2 -"]);
}

#[test]
fn where_nothing_announced_decides_each_answer_is_as_good() {
    let guests = [
        guest("sse", &["fisttp runs", "clac runs"]),
        guest("sse", &["fisttp runs", "clac #UD"]),
    ];
    let found = changes(("tcg", "11.1"), &guests);
    assert_eq!(found, ["+tcg 11.1.. clac hidden #UD,runs - -"]);
}

#[test]
fn a_host_that_does_the_same_joins_the_rows_that_stand() {
    let mut guests = as_recorded();
    let found = changes(("kvm-intel:arrowlake", "6.12"), &guests);
    assert_eq!(found, Vec::<String>::new());
    guests[0].answers.push(Answer {
        probe: "clac",
        when: When::Hidden,
        token: "runs".to_owned(),
        as_announced: false,
    });
    guests[0].answers.retain(|answer| answer.probe != "adcx");
    guests[1] = guest("", &["adcx #UD", "rdpid eax=0x0"]);
    assert_eq!(
        changes(("kvm-intel:arrowlake", "6.12"), &guests),
        [
            "-kvm-intel adcx hidden runs - -",
            "+kvm-intel:arrowlake clac hidden runs - -",
            "+kvm-intel:skylake adcx hidden runs - -",
        ]
    );
}

#[test]
fn a_row_that_no_guest_bears_out_goes() {
    let found = changes(("tcg", "7.2"), &[guest("rdrand", &["fisttp runs"])]);
    assert_eq!(
        found,
        ["-tcg ..7.2 rdseed hidden runs +rdrand docs/findings/y.md"]
    );
}

#[test]
fn a_row_of_what_is_as_announced_goes() {
    // RDRAND's refusal is #UD.
    let redundant = format!("{FILE}tcg\trdrand\thidden\t#UD\t-\t-\n");
    let before = facts(&redundant);
    let guests = [guest("", &["fisttp runs", "rdrand #UD"])];
    let after = merged(&before, &ground("tcg", "11.1"), &guests, &[]).expect("rows");
    let rows: Vec<String> = after.rows.iter().map(line).collect();
    assert!(
        rows.contains(&"tcg ..10.0\trdrand\thidden\t#UD\t-\t-".to_owned()),
        "{rows:?}"
    );
}
