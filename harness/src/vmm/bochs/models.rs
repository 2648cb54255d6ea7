//! Where Bochs is, and the processors that it has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::BochsError;
use crate::util::cancel::Cancel;
use crate::util::process::{Ending, Process};
use crate::vmm::start::StartError;

/// The one release of Bochs that is used: 2.7 loses XSAVE and AVX, in 3.1 Linux stops with a divide error (scripts/fetch-bochs).
pub const RELEASE: &str = "3.0";

/// What `--help cpu` may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where scripts/fetch-bochs puts the release that is used, below the folder of the cache.
pub fn fetched(cache: &Path) -> PathBuf {
    cache.join("bochs").join(RELEASE).join("bochs")
}

/// Their names, in its own order: by vendor and age.
///
/// # Errors
/// It does not start or end, or names none.
pub fn models(bochs: &Path, cancel: &Cancel) -> Result<Vec<String>, BochsError> {
    let command: [OsString; 3] = [bochs.into(), "--help".into(), "cpu".into()];
    let process = Process::start(&command, &[], TIMEOUT, cancel);
    let finished = process
        .map_err(|error| StartError::new(bochs.display(), error))?
        .finish();
    let models = listed(&finished.stderr);
    match finished.ending {
        Ending::Cancelled => Err(BochsError::Cancelled),
        _ if models.is_empty() => Err(BochsError::NoModels {
            bochs: bochs.display().to_string(),
            printed: finished
                .stderr
                .lines()
                .next()
                .unwrap_or("nothing")
                .to_owned(),
        }),
        _ => Ok(models),
    }
}

/// The block of lines behind the heading.
fn listed(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .skip_while(|line| *line != "Supported CPU models:");
    let names = lines.skip(1).skip_while(|line| line.is_empty());
    names
        .take_while(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require::{Capability, require};

    #[test]
    fn models_are_the_lines_behind_the_heading() {
        let text = "00000000000i[      ] BXSHARE is set\nSupported CPU models:\n\ni386\nryzen\n\n00000000000i[SIM   ] quit_sim called\n";
        assert_eq!(listed(text), ["i386", "ryzen"]);
        assert_eq!(listed("usage: bochs"), Vec::<String>::new());
    }

    #[test]
    fn bochs_has_dozens_and_another_program_none() {
        let bochs = or_skip!(require(Capability::Bochs));
        let cancel = Cancel::new().expect("an eventfd");
        let found = models(&bochs, &cancel).expect("models");
        assert_eq!(found.len(), 32);
        assert!(found.contains(&"tigerlake".to_owned()));
        let error = models(Path::new("/bin/false"), &cancel).expect_err("no Bochs");
        assert_eq!(
            error.to_string(),
            "/bin/false --help cpu names no CPU model: not a Bochs? It printed: nothing"
        );
    }
}
