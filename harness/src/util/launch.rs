//! Programs that are started in another way than by their path: inside the lab, where no shell can run a wrapper script.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// What a wrapper script starts, as it was seen to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program and its first arguments; those that the script was given follow.
    #[serde(rename = "words")]
    pub arguments: Vec<String>,
    /// Variables that it sets.
    pub variables: BTreeMap<String, String>,
}

/// By the script's path.
pub type Launches = BTreeMap<PathBuf, Launch>;

static LAUNCHES: OnceLock<Launches> = OnceLock::new();

/// Makes `launches` hold for every process started from now on. Only the first call has an effect.
pub fn install(launches: Launches) {
    let _ = LAUNCHES.set(launches);
}

/// The command line to be started for `command`, and the variables to set.
pub(super) fn resolved(command: &[OsString]) -> (Vec<OsString>, Option<&'static Launch>) {
    let launch = LAUNCHES.get().and_then(|launches| {
        let program = command.first()?;
        launches.get(&PathBuf::from(program))
    });
    let Some(launch) = launch else {
        return (command.to_vec(), None);
    };
    let arguments = launch.arguments.iter().map(OsString::from);
    let rest = command.iter().skip(1).cloned();
    (arguments.chain(rest).collect(), Some(launch))
}
