//! `package-files`: what a package has beside the program. `scripts/dist` calls it, so `--help` does not list it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};

use super::{completion, manual};

/// `package-files`.
#[derive(Debug, Args)]
pub struct PackageFiles {
    /// Folder to write into, as share/ of a prefix
    folder: PathBuf,
}

/// Writes man pages and completions; the exit status.
pub fn run(command: Command, arguments: &PackageFiles) -> anyhow::Result<u8> {
    let name = command.get_name().to_owned();
    for (page, text) in manual::pages(command)? {
        write(&arguments.folder.join("man/man1").join(page), &text)?;
    }
    for (path, text) in completion::scripts(&name)? {
        write(&arguments.folder.join(path), &text)?;
    }
    Ok(0)
}

fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .with_context(|| format!("failed to write {}", path.display()))
}
