//! What users configure: `fidelity.toml`, and what is kept of a bisect.

use std::time::Duration;

use cpuid_fidelity::bisect::state::Plan;
use cpuid_fidelity::bisect::{Question, Step, Target};
use cpuid_fidelity::config::Config;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::planner;
use serde_json::json;

use super::seeds::{file, written};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "fidelity.toml",
        shape: Shape::Text,
        seeds: configurations,
        executions: 20,
        read: read_configuration,
    },
    Reader {
        name: "bisect-state",
        shape: Shape::Json,
        seeds: states,
        executions: 500,
        read: read_state,
    },
];

fn configurations() -> Vec<Vec<u8>> {
    let small = "timeout = 5\njobs = 2\nqemu = [\"qemu-system-x86_64\"]\n[default.tcg]\nmodels = [\"486-v1\"]\n\
                 [default.migration]\nlanes = [\"tcg\"]\nsmp = \"2,maxcpus=3\"\n[[nightly.compat]]\npairs = [\"7.2..10.0\"]\n";
    [file("fidelity.toml"), vec![small.as_bytes().to_vec()]].concat()
}

fn read_configuration(bytes: &[u8]) -> bool {
    let path = written("fidelity.toml", bytes);
    let Ok(config) = Config::read(&path) else {
        return false;
    };
    let taken = planner::check(&Registry::default(), &config).is_ok();
    // What is added up of it, for migrations and labs.
    let _ = Duration::from_secs(config.timeout) * 100;
    taken
}

fn states() -> Vec<Vec<u8>> {
    let target: Target = "definition/qemu-11.1/-/EPYC-v4".parse().expect("a case");
    let plan = json!({"version": 2, "here": "/a", "repo": "/b", "good": "1", "bad": "2", "target": target, "feature": "avx2",
        "expected": ["cpuid 0x00000007.00 ebx[ 5]     avx2"], "build": {"command": null, "product": "x", "modules": null}, "lab": []});
    let step = json!({"commit": "1", "outcome": {"Broken": {"reason": "no", "command": ["qemu"]}}, "verdict": "Good", "seconds": 1.5});
    let question = json!({"reference": ["cpuid 0x00000007.00 ebx[ 5]     avx2"], "known": [], "feature": "avx2", "layer": "qemu",
        "hunt": "Anything"});
    [plan, step, question]
        .iter()
        .map(|value| value.to_string().into_bytes())
        .collect()
}

fn read_state(bytes: &[u8]) -> bool {
    let plan = serde_json::from_slice::<Plan>(bytes);
    let step = serde_json::from_slice::<Step>(bytes);
    let question = serde_json::from_slice::<Question>(bytes);
    if let Ok(question) = &question {
        let _ = question.left(&question.known);
    }
    plan.is_ok() || step.is_ok() || question.is_ok()
}
