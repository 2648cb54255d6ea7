//! The figures of this host are those that the programs of the field report: lscpu, cpuid and x86info.

use std::process::Command;

use serde_json::Value;

use super::shown;
use crate::require::{Capability, require};

fn host() -> Value {
    serde_json::from_str(&shown(&["--host", "--format", "json"])).expect("one object")
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .expect("the program runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The text behind the first line with this name, as `name   separator value`.
fn field<'a>(text: &'a str, name: &str, separator: char) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(separator));
    let found = fields.find(|(own, _)| own.trim() == name);
    found.map(|(_, value)| value.trim())
}

/// `0x6 (6)` or `6`.
fn number(text: &str) -> u64 {
    let inner = text
        .split_once('(')
        .map(|(_, inner)| inner.trim_end_matches(')'));
    let digits = inner.unwrap_or(text);
    digits.parse().unwrap_or_else(|_| panic!("{text}"))
}

fn count(host: &Value, unit: &str) -> u64 {
    fn below(node: &Value, unit: &str) -> u64 {
        let inner = node["units"].as_array().into_iter().flatten();
        u64::from(node["unit"] == unit) + inner.map(|node| below(node, unit)).sum::<u64>()
    }
    let tree = host["topology"]["tree"].as_array().expect("a tree");
    tree.iter().map(|node| below(node, unit)).sum()
}

#[test]
fn lscpu_reports_the_same_signature_topology_and_caches() {
    or_skip!(require(Capability::Reporter("lscpu")));
    let host = host();
    let text = printed("lscpu", &[]);
    let lscpu = |name| number(field(&text, name, ':').unwrap_or_else(|| panic!("{name}: {text}")));
    assert_eq!(
        host["identity"]["vendor"],
        field(&text, "Vendor ID", ':').expect("a vendor")
    );
    assert_eq!(host["identity"]["family"], lscpu("CPU family"));
    assert_eq!(host["identity"]["model"], lscpu("Model"));
    assert_eq!(host["identity"]["stepping"], lscpu("Stepping"));
    let (packages, cores) = (lscpu("Socket(s)"), lscpu("Core(s) per socket"));
    assert_eq!(count(&host, "package"), packages);
    assert_eq!(count(&host, "core"), packages * cores);
    let online = packages * cores * lscpu("Thread(s) per core");
    assert_eq!(host["topology"]["processors"], online);
    let sizes = field(&text, "Address sizes", ':').expect("sizes");
    let physical = host["addresses"]["physical"].as_u64().expect("bits");
    let linear = host["addresses"]["linear"].as_u64().expect("bits");
    assert_eq!(
        sizes,
        format!("{physical} bits physical, {linear} bits virtual")
    );
    same_caches(
        &host,
        &printed(
            "lscpu",
            &["-C=NAME,ONE-SIZE,WAYS,SETS,COHERENCY-SIZE", "-B"],
        ),
    );
}

/// Rows of `NAME ONE-SIZE WAYS SETS COHERENCY-SIZE` below a head.
fn same_caches(host: &Value, table: &str) {
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    let caches = host["caches"].as_array().expect("caches");
    assert_eq!(caches.len(), rows.len(), "{table}");
    for (cache, row) in caches.iter().zip(rows) {
        assert_eq!(cache["name"], row[0], "{table}");
        let cells = ["bytes", "ways", "sets", "line"].map(|name| cache[name].to_string());
        assert_eq!(cells, row[1..5], "{table}");
    }
}

#[test]
fn cpuid_reports_the_same_signature_caches_and_address_sizes() {
    or_skip!(require(Capability::CpuidProgram));
    let host = host();
    let text = printed("cpuid", &["-1"]);
    let cpuid = |name| number(field(&text, name, '=').unwrap_or_else(|| panic!("{name}: {text}")));
    assert_eq!(host["identity"]["family"], cpuid("(family synth)"));
    assert_eq!(host["identity"]["model"], cpuid("(model synth)"));
    assert_eq!(host["identity"]["stepping"], cpuid("stepping id"));
    assert_eq!(
        host["addresses"]["physical"],
        cpuid("maximum physical address bits")
    );
    assert_eq!(
        host["addresses"]["linear"],
        cpuid("maximum linear (virtual) address bits")
    );
    let sizes = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(size synth)"));
    let sizes: Vec<u64> = sizes
        .filter_map(|rest| {
            rest.trim_start_matches([' ', '='])
                .split(' ')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    let caches = host["caches"].as_array().expect("caches");
    let own: Vec<u64> = caches
        .iter()
        .filter_map(|cache| cache["bytes"].as_u64())
        .collect();
    assert_eq!(own, sizes, "{text}");
}

#[test]
fn x86info_reports_the_same_signature_and_threads() {
    or_skip!(require(Capability::Reporter("x86info")));
    let host = host();
    let text = printed("x86info", &[]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let behind = |name: &str| {
        let mut pairs = words.windows(2).filter(|pair| pair[0] == name);
        pairs.next_back().map(|pair| number(pair[1]))
    };
    assert_eq!(
        host["identity"]["family"].as_u64(),
        behind("Family:"),
        "{text}"
    );
    assert_eq!(
        host["identity"]["stepping"].as_u64(),
        behind("Stepping:"),
        "{text}"
    );
    let model = words.windows(2).filter(|pair| pair[0] == "Model:");
    let models: Vec<u64> = model.map(|pair| number(pair[1])).collect();
    let own = host["identity"]["model"].as_u64().expect("a model");
    assert!(models.contains(&own), "{text}");
    assert_eq!(
        host["topology"]["processors"].as_u64(),
        behind("threads:"),
        "{text}"
    );
}
