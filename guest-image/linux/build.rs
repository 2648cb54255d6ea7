//! The table of probes as rows that /init includes: the same that the agent has.

use std::env;
use std::error::Error;
use std::path::PathBuf;

#[path = "../../harness/build/probes.rs"]
mod probes;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let sources = ["harness/build/probes.rs", probes::FEATURES, probes::TABLE];
    for source in sources {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    probes::write(&root, &out.join("probes.rs"))
}
