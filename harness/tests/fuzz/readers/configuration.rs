//! What users configure: `fidelity.toml`, and what is kept of a bisect.

use std::time::Duration;

use cpuid_fidelity::bisect::state::Plan;
use cpuid_fidelity::bisect::{Question, Step, Target};
use cpuid_fidelity::config::Config;
use cpuid_fidelity::lanes::Registry;
use cpuid_fidelity::plan::planner;
use serde_json::json;

use super::seeds::{file, lossy, written};
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
                 [default.migration]\nlanes = [\"tcg\"]\nsmp = \"2,maxcpus=3\"\n[[nightly.compat]]\npairs = [\"a..b\"]\n";
    [file("fidelity.toml"), vec![small.as_bytes().to_vec()]].concat()
}

fn read_configuration(bytes: &[u8]) {
    let path = written("fidelity.toml", bytes);
    let Ok(config) = Config::read(&path) else {
        return;
    };
    let _ = planner::check(&Registry::default(), &config).is_ok();
    // What is added up of it, for migrations and labs.
    let _ = Duration::from_secs(config.timeout) * 100;
}

fn states() -> Vec<Vec<u8>> {
    let target: Target = "definition/qemu-11.1/-/EPYC-v4".parse().expect("a case");
    let plan = json!({"version": 2, "here": "/a", "repo": "/b", "good": "1", "bad": "2", "target": target, "feature": "avx2",
        "expected": ["cpuid 0x00000007.00 ebx[ 5]     avx2"], "build": {"command": null, "product": "x", "modules": null}, "lab": []});
    let step =
        json!({"commit": "1", "outcome": {"Broken": "no"}, "verdict": "Good", "seconds": 1.5});
    let question = json!({"reference": ["cpuid 0x00000007.00 ebx[ 5]     avx2"], "known": [], "feature": "avx2", "layer": "qemu",
        "hunt": "Anything"});
    [plan, step, question]
        .iter()
        .map(|value| value.to_string().into_bytes())
        .collect()
}

fn read_state(bytes: &[u8]) {
    let _ = serde_json::from_slice::<Plan>(bytes).is_ok();
    let step = serde_json::from_slice::<Step>(bytes);
    let question = serde_json::from_slice::<Question>(bytes);
    if let Ok(question) = question {
        let _ = question.left(&question.known);
    }
    let _ = step.is_ok();
    let _ = lossy(bytes).parse::<Target>().is_ok();
}
