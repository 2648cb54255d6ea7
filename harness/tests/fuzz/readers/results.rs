//! Results of runs: JSON lines, journals, earlier nights; and every report that is made of them.

use std::time::Duration;

use cpuid_fidelity::report::shown::Shown;
use cpuid_fidelity::report::styled::Manner;
use cpuid_fidelity::report::{compat, html, junit, kcidb, ktap, markdown, summary};
use cpuid_fidelity::results::history::History;
use cpuid_fidelity::results::journal::Left;
use cpuid_fidelity::results::{Matrix, RunFile, merge};
use serde_json::{Value, json};

use super::seeds::{lossy, written};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "results",
        shape: Shape::Json,
        seeds: runs,
        executions: 60,
        read: read_results,
    },
    Reader {
        name: "nights",
        shape: Shape::Json,
        seeds: runs,
        executions: 60,
        read: read_nights,
    },
    Reader {
        name: "journal",
        shape: Shape::Json,
        seeds: runs,
        executions: 100,
        read: read_journal,
    },
];

fn head() -> Value {
    json!({"run": "cpuid-fidelity", "version": 1, "tool": "0.1.0", "planned": 3, "shard": [1, 2], "started": "2026-11-24T01:02:03Z",
        "seconds": 1.5, "host": {"id": "this/host", "cpu": "A", "microcode": "0x1", "kernel": "6.1", "kvm": ["kvm.x=Y"]},
        "plan": {"id": "0badcafe", "shared": ["tcg/qemu-11.1/-/486-v1", "tcg/qemu-11.1/-/max"], "by_host": ["kvm/qemu-11.1/-/host"]}})
}

fn row(case: &str, status: &str) -> Value {
    let lane = case.split('/').next().unwrap_or("tcg");
    json!({"case": case, "trial": case, "lane": lane, "machine": "pc-q35-11.1", "cpu": "486-v1", "resolved": "486-v1", "smp": "2,sockets=2",
        "qemu": {"path": "/usr/bin/qemu", "version": "11.1.0", "package": "Debian", "label": "qemu-11.1"},
        "status": status, "reason": "because", "duration_ms": 120.5, "command": ["qemu-system-x86_64", "-cpu", "486-v1"],
        "host": (lane == "kvm").then_some("this/host"), "seen": "12345678", "waivers": [],
        "changes": [{"kind": "lost", "name": "avx2", "where": "CPUID.07H.00H:EBX[5]", "expected": "avx2", "actual": "clear",
            "check": "expectation", "layer": "qemu", "minus": "cpuid 0x00000007.00 ebx[ 5]     avx2", "plus": null}],
        "flow": [{"layer": "model", "present": 3, "lost": ["avx2"], "gained": []}]})
}

fn compared() -> Value {
    let mut row = row("definition/qemu-7.2..11.1/-/486-v1", "PASS");
    let from = json!({"path": "", "version": "7.2.0", "package": "", "label": "qemu-7.2"});
    row["crossing"] = json!({"from": from, "by": "boot", "outcome": "changes",
        "changes": [{"where": "CPUID.07H.00H:EBX[5]", "name": "avx2", "kind": "gained", "review": "intended: x", "after": "avx2"}]});
    row["migration"] = json!({"from": from, "to": from, "way": "live", "outcome": "changed", "sides": ["source"], "total_ms": 5});
    row
}

fn runs() -> Vec<Vec<u8>> {
    let rows = [
        row("tcg/qemu-11.1/-/486-v1", "PASS"),
        row("tcg/qemu-11.1/-/max", "FAIL"),
        row("kvm/qemu-11.1/-/host", "ERROR"),
        compared(),
    ];
    let run = |rows: &[Value]| {
        let all = [head()].into_iter().chain(rows.iter().cloned());
        let lines: Vec<String> = all.map(|line| format!("{line}\n")).collect();
        lines.concat().into_bytes()
    };
    vec![run(&rows[..3]), run(&rows), run(&rows[1..2])]
}

fn read(bytes: &[u8]) -> Option<RunFile> {
    RunFile::parse("a run", &lossy(bytes)).ok()
}

fn read_results(bytes: &[u8]) -> bool {
    let Some(file) = read(bytes) else {
        return false;
    };
    let again = RunFile::parse("a run", &file.text()).expect("a run");
    assert_eq!(
        (again.head, again.rows),
        (file.head.clone(), file.rows.clone()),
        "a run is read as written"
    );
    let Ok(merged) = merge(&[file.clone(), file]) else {
        return true;
    };
    let took = merged.head.took();
    let shown = Shown::new(&merged, None);
    let _ = (
        summary::plain(&shown, took, &Manner::default()),
        compat::text(&shown),
        junit::run(&shown).is_ok(),
    );
    let _ = (
        ktap::run(&shown),
        kcidb::run(&shown, "x"),
        markdown::run(&shown),
    );
    let _ = Matrix::from_rows(&merged.rows).json();
    let _ = html::run(&shown, None).is_ok();
    true
}

fn read_nights(bytes: &[u8]) -> bool {
    let Some(file) = read(bytes) else {
        return false;
    };
    let first = read(&runs()[1]).expect("a run");
    let history = History::from_nights(vec![first, file.clone(), file.clone()]);
    let compared = history.compare(&file.rows);
    let shown = Shown::new(&file, Some(&compared));
    let _ = summary::plain(&shown, Duration::ZERO, &Manner::default());
    let _ = html::run(&shown, Some(&history)).is_ok();
    true
}

fn read_journal(bytes: &[u8]) -> bool {
    let path = written("run.jsonl.part", bytes);
    let head = read(&runs()[0]).expect("a run").head;
    Left::read(&path, &head).refused.is_none()
}
