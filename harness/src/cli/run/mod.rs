//! `run`: the main job. `verb` is the verb, `kept` runs its trials and keeps their results, `failed` knows what failed in a run before.

mod failed;
mod kept;
mod verb;

pub use verb::{Run, chosen, run};
