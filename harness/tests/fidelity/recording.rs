//! Recording expectations: noted as trials run, written at the end.

use std::path::Path;
use std::sync::LazyLock;

use cpuid_fidelity::expectation::record::RecordError;
use cpuid_fidelity::expectation::{Files, Recorder};

/// Notes what was observed. It is written at the end of the run, as a difference from what its base shows in the same run.
pub fn keep(expectation: &Path, observed: &str) {
    RECORDER.note(expectation, observed);
}

/// What was observed. Trials and what is measured beside them note it.
pub static RECORDER: LazyLock<Recorder> = LazyLock::new(Recorder::default);

/// Hands insta the files of what was observed. It writes `.snap.new` where one differs from the file that is there.
pub fn write_recorded(files: &Files) -> Result<(), RecordError> {
    for (path, content) in RECORDER.files(files)? {
        let path = files.folder().join(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else {
            continue;
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let name = name.to_string_lossy();
        settings.bind(|| insta::assert_snapshot!(name.as_ref(), content));
    }
    Ok(())
}

/// insta keeps files; printing and judging are ours.
pub fn quiet_insta() {
    // SAFETY: called first in main, while there is one thread.
    unsafe {
        std::env::set_var("INSTA_OUTPUT", "none");
        std::env::set_var("INSTA_FORCE_PASS", "1");
        std::env::set_var("INSTA_WORKSPACE_ROOT", env!("CARGO_MANIFEST_DIR"));
    }
}

/// Whether snapshots are being written on purpose.
pub fn recording() -> bool {
    std::env::var("INSTA_UPDATE")
        .is_ok_and(|mode| ["always", "new", "unseen", "force"].contains(&mode.as_str()))
}
