//! Programs that are started in another way than by the path that names them: inside the lab, where the folder, the variables and
//! the loader's cache of the host are missing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// How a program is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program and its first arguments; those of the command line follow.
    #[serde(rename = "words")]
    pub arguments: Vec<String>,
    /// Variables that it is given.
    pub variables: BTreeMap<String, String>,
}

/// By the path that names the program.
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
