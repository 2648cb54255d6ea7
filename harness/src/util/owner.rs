//! Whose files are taken without being named: those of the user who runs this program, as git takes repositories (safe.directory).

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Something that another user can change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} belongs to user {owner}, and this program runs as user {user}")]
pub struct Foreign {
    /// The file that was to be taken.
    pub file: PathBuf,
    /// What belongs to the other user: the file, or its folder.
    pub path: PathBuf,
    /// Its owner.
    pub owner: u32,
    /// The effective user.
    pub user: u32,
}

/// The user who runs this program, and the one who called it through sudo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    effective: u32,
    before_sudo: Option<u32>,
}

impl User {
    /// Of this process.
    pub fn this() -> User {
        let before_sudo = std::env::var("SUDO_UID").ok();
        User {
            effective: rustix::process::geteuid().as_raw(),
            before_sudo: before_sudo.and_then(|user| user.parse().ok()),
        }
    }

    /// Whether what `owner` owns is this user's. Only root can have come through sudo: for anybody else the variable is not sudo's.
    pub fn owns(self, owner: u32) -> bool {
        owner == self.effective || self.effective == 0 && self.before_sudo == Some(owner)
    }

    /// Whether the file is this user's: itself, the link that leads to it, and the folder in which either can be replaced.
    ///
    /// # Errors
    /// What belongs to somebody else.
    pub fn check(self, file: &Path, owner: u32) -> Result<(), Foreign> {
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let link = std::fs::symlink_metadata(file).map(|about| about.uid());
        let around = std::fs::metadata(folder).map(|about| about.uid());
        let owners = [(file, Ok(owner)), (file, link), (folder, around)];
        for (path, owner) in owners {
            let owner = owner.unwrap_or(u32::MAX);
            if !self.owns(owner) {
                return Err(Foreign {
                    file: file.to_owned(),
                    path: path.to_owned(),
                    owner,
                    user: self.effective,
                });
            }
        }
        Ok(())
    }
}

/// Whether `owner` is the effective user itself.
pub fn is_ours(owner: u32) -> bool {
    owner == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_files_and_those_of_the_caller_of_sudo_are_roots_alone() {
        let user = |effective, before_sudo| User {
            effective,
            before_sudo,
        };
        assert!(user(1000, None).owns(1000) && user(0, None).owns(0));
        assert!(!user(1000, None).owns(0) && !user(0, None).owns(1000));
        assert!(user(0, Some(1000)).owns(1000) && !user(0, Some(1000)).owns(1001));
        assert!(!user(1000, Some(1001)).owns(1001));
    }

    #[test]
    fn a_link_to_a_file_of_another_user_is_foreign() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let user = User::this();
        assert_eq!(user.check(&file, user.effective), Ok(()));
        let foreign = user.check(&file, user.effective + 1).expect_err("foreign");
        assert_eq!((foreign.path, foreign.owner), (file, user.effective + 1));
    }
}
