//! The host's kernel: its release, its command line, and the parameters of its KVM modules.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::found::{Found, text};

/// What can take a feature from every guest of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: Found<String>,
    /// The kernel's own parameters, a word each. What stands behind `--` is init's
    /// (Documentation/admin-guide/kernel-parameters.rst) and is left out.
    pub command_line: Found<Vec<String>>,
    /// By module: kvm and every module whose name starts with `kvm_`, loaded or built in.
    pub modules: BTreeMap<String, Module>,
}

/// Parameters of a module by name, as /sys/module/NAME/parameters prints them.
pub type Module = BTreeMap<String, Found<String>>;

/// Of this host.
pub fn kernel() -> Kernel {
    Kernel {
        release: text(Path::new("/proc/sys/kernel/osrelease")),
        command_line: text(Path::new("/proc/cmdline")).map(|line| parameters(&line)),
        modules: modules(Path::new("/sys/module")),
    }
}

/// Parameters of the command line; quotes may hold spaces together.
pub(crate) fn parameters(line: &str) -> Vec<String> {
    let mut quoted = false;
    let words = line.split(|letter: char| {
        quoted ^= letter == '"';
        letter.is_whitespace() && !quoted
    });
    let own = words
        .take_while(|word| *word != "--")
        .filter(|word| !word.is_empty());
    own.map(str::to_owned).collect()
}

/// Names of the modules of this host that belong to KVM.
pub fn kvm_modules() -> Vec<String> {
    modules(Path::new("/sys/module")).into_keys().collect()
}

fn modules(folder: &Path) -> BTreeMap<String, Module> {
    let names = entries(folder)
        .into_iter()
        .filter(|name| name == "kvm" || name.starts_with("kvm_"));
    names
        .map(|name| (name.clone(), module(&folder.join(name).join("parameters"))))
        .collect()
}

fn module(folder: &Path) -> Module {
    entries(folder)
        .into_iter()
        .map(|name| (name.clone(), text(&folder.join(name))))
        .collect()
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_of_init_are_not_the_kernels() {
        let line = "quiet clearcpuid=avx2  dyndbg=\"file a.c +p\" -- --token abc";
        assert_eq!(
            parameters(line),
            ["quiet", "clearcpuid=avx2", "dyndbg=\"file a.c +p\""]
        );
    }

    #[test]
    fn only_kvm_modules_are_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in ["kvm/parameters", "kvm_amd/parameters", "kvmgt/parameters"] {
            std::fs::create_dir_all(folder.path().join(path)).expect("a folder");
        }
        std::fs::write(folder.path().join("kvm_amd/parameters/nested"), "0\n").expect("a file");
        let modules = modules(folder.path());
        assert_eq!(modules.keys().collect::<Vec<_>>(), ["kvm", "kvm_amd"]);
        assert_eq!(modules["kvm_amd"]["nested"], Found::Value("0".to_owned()));
    }
}
