//! The kernels that a configuration names: those that labs are made of, and that guests boot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::case::LabKernel;
use crate::case::kernel::label;
use crate::config::{Config, KernelEntry};
use crate::util::order::natural;
use crate::vmm::linux::Kernel;

/// Something that is named and cannot be used.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// What was named.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The kernels of a configuration: what a pattern matches, in natural order; and those that are named and cannot be used.
pub fn kernels(config: &Config) -> (Vec<LabKernel>, Vec<Unusable>) {
    let (mut found, mut unusable) = (Vec::<LabKernel>::new(), Vec::new());
    for entry in &config.kernels {
        for kernel in of_entry(config, entry) {
            match kernel {
                Ok(kernel) => found.push(kernel),
                Err(reason) => unusable.push(reason),
            }
        }
    }
    found.sort_by_key(|kernel| natural(&kernel.label));
    tell_apart(&mut found);
    (found, unusable)
}

fn of_entry(config: &Config, entry: &KernelEntry) -> Vec<Result<LabKernel, Unusable>> {
    let parameters = entry.cmdline.split_whitespace().map(str::to_owned);
    let parameters: Vec<String> = parameters.collect();
    let modules = entry.modules.as_ref().map(|path| config.folder.join(path));
    let read = |path: PathBuf| {
        kernel(&path, modules.as_deref(), &parameters).map_err(|reason| Unusable { path, reason })
    };
    expanded(config, &entry.path)
        .into_iter()
        .map(read)
        .collect()
}

/// Two kernels of one version are labelled with their releases.
fn tell_apart(kernels: &mut [LabKernel]) {
    let labels: Vec<String> = kernels.iter().map(|kernel| kernel.label.clone()).collect();
    let count = |wanted: &str| labels.iter().filter(|label| *label == wanted).count();
    let twice: BTreeSet<&String> = labels.iter().filter(|label| count(label) > 1).collect();
    for kernel in kernels
        .iter_mut()
        .filter(|kernel| twice.contains(&kernel.label))
    {
        kernel.label = label(&format!("linux-{}", kernel.release), &kernel.parameters);
    }
}

/// A kernel as it is named in a plan. Its expectations are those of its version and of its parameters.
///
/// # Errors
/// There is no kernel, or its modules are another's.
pub fn kernel(
    path: &Path,
    modules: Option<&Path>,
    parameters: &[String],
) -> Result<LabKernel, String> {
    let found = Kernel::find(path, modules).map_err(|error| error.to_string())?;
    let label = label(&found.label(), parameters);
    let folder = label.strip_prefix("linux-").unwrap_or(&label).to_owned();
    Ok(LabKernel {
        label,
        release: found.release,
        path: path.to_owned(),
        modules: modules.map(Path::to_owned),
        parameters: parameters.to_vec(),
        expectations: PathBuf::from("kernels").join(folder),
    })
}

/// The paths that an entry names. A pattern that matches nothing names none; a path is kept, so that a wrong one is reported.
fn expanded(config: &Config, entry: &str) -> Vec<PathBuf> {
    let path = config.path(entry);
    if !entry.contains(['*', '?', '[']) {
        return vec![path];
    }
    // As in a shell: `*` is no hidden file.
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let found = glob::glob_with(&path.to_string_lossy(), options);
    found.into_iter().flatten().flatten().collect()
}
