//! `run`: the main job. `verb` is the verb, `chosen` takes what the command line leaves of the plan,
//! `kept` runs its trials and keeps their results, `failed` knows what failed in a run before.

mod chosen;
mod failed;
mod kept;
mod verb;

pub use chosen::chosen;
pub use verb::{Run, run};
