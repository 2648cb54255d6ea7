//! Why a device may not be opened, and what would change that: by its owner, its group and its mode.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::process::{getegid, geteuid, getgroups};
use serde::{Deserialize, Serialize};

use crate::util::limits::TEXT;
use crate::util::open;

/// Who owns the device, who may open it, and what would let this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("it belongs to group {group}, mode {mode:03o}; {remedy}")]
pub struct Permission {
    /// Name of the group that owns it, or its number.
    pub group: String,
    /// Permission bits.
    pub mode: u32,
    /// What would help.
    pub remedy: Remedy,
}

/// What lets a process open a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Remedy {
    /// The group may open it, and this process is not in it.
    #[error("be in that group")]
    JoinGroup,
    /// The group may not open it either.
    #[error(
        "that mode does not let the group read and write: chmod g+rw /dev/kvm as its owner, and be in that group"
    )]
    OpenToGroup,
    /// This process is the owner, who may not open it.
    #[error("that mode does not let you, its owner, read and write: chmod u+rw /dev/kvm")]
    OpenToOwner,
    /// The mode lets this process open it.
    #[error(
        "that mode lets you read and write, so something else refuses: a container's device rules, or a security module"
    )]
    Elsewhere,
}

/// What this process is to the device. The kernel looks at the first that holds only (path_resolution(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Owner,
    Group,
    Other,
}

/// Reading and writing, of one class.
const BOTH: u32 = 0o6;

impl Permission {
    /// Of the device at `path` and this process; `None` where not even that may be known.
    pub fn of_this_process(path: &Path) -> Option<Permission> {
        let data = std::fs::metadata(path).ok()?;
        let groups = open::text("/etc/group", TEXT).unwrap_or_default();
        let mode = data.permissions().mode() & 0o777;
        Some(Permission {
            group: group(&groups, data.gid()),
            mode,
            remedy: remedy(class(data.uid(), data.gid()), mode),
        })
    }
}

fn class(owner: u32, group: u32) -> Class {
    let others = getgroups().unwrap_or_default();
    if geteuid().as_raw() == owner {
        Class::Owner
    } else if getegid().as_raw() == group || others.iter().any(|other| other.as_raw() == group) {
        Class::Group
    } else {
        Class::Other
    }
}

fn remedy(class: Class, mode: u32) -> Remedy {
    let lets = |shift: u32| (mode >> shift) & BOTH == BOTH;
    match class {
        Class::Owner if !lets(6) => Remedy::OpenToOwner,
        Class::Group if !lets(3) => Remedy::OpenToGroup,
        Class::Other if !lets(0) && lets(3) => Remedy::JoinGroup,
        Class::Other if !lets(0) => Remedy::OpenToGroup,
        Class::Owner | Class::Group | Class::Other => Remedy::Elsewhere,
    }
}

/// The name of a group by the text of /etc/group; its number where it has none.
fn group(groups: &str, gid: u32) -> String {
    let mut rows = groups.lines().map(|row| row.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row.get(2).and_then(|number| number.parse().ok()) == Some(gid));
    row.map_or_else(|| gid.to_string(), |row| row[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_in_the_group_is_advised_only_where_the_group_may_open_it() {
        assert_eq!(remedy(Class::Other, 0o660), Remedy::JoinGroup);
        assert_eq!(remedy(Class::Other, 0o600), Remedy::OpenToGroup);
        assert_eq!(remedy(Class::Other, 0o640), Remedy::OpenToGroup);
        assert_eq!(remedy(Class::Group, 0o600), Remedy::OpenToGroup);
    }

    #[test]
    fn a_mode_that_allows_it_is_not_blamed() {
        assert_eq!(remedy(Class::Group, 0o660), Remedy::Elsewhere);
        assert_eq!(remedy(Class::Other, 0o666), Remedy::Elsewhere);
        assert_eq!(remedy(Class::Owner, 0o600), Remedy::Elsewhere);
        assert_eq!(remedy(Class::Owner, 0o060), Remedy::OpenToOwner);
    }

    #[test]
    fn the_group_to_be_in_is_named() {
        let group = group("root:x:0:\nkvm:x:104:qemu\n", 104);
        let (mode, remedy) = (0o660, Remedy::JoinGroup);
        let permission = Permission {
            group,
            mode,
            remedy,
        };
        let text = "it belongs to group kvm, mode 660; be in that group";
        assert_eq!(permission.to_string(), text);
        assert_eq!(super::group("root:x:0:\n", 104), "104");
    }
}
