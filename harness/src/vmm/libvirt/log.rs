//! The log of a private libvirt: why it failed where its message has no cause.

use std::path::{Path, PathBuf};

use crate::util::limits::OUTPUT;
use crate::util::open;

/// The log, in the private folder.
const NAME: &str = "libvirt.log";

/// Errors that each session logs at its start and at each command, whatever is asked: there is no access manager inside virsh, and the embedded
/// driver has no keep-alive messages.
const USUAL: [&str; 2] = ["virAccessManagerGetDefault", "virConnectSetKeepAlive"];

fn file(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Bytes that the log of the libvirt in `folder` has so far.
pub(super) fn size(folder: &Path) -> u64 {
    std::fs::metadata(file(folder)).map_or(0, |about| about.len())
}

/// Whether libvirt's message says only that there was an error: a call failed and set none (virErrorGenericFailure).
pub(super) fn has_no_cause(message: &str) -> bool {
    message.contains("An error occurred, but the cause is unknown")
}

/// The message with the last thing that the log of the libvirt in `folder` reports behind its first `start` bytes.
pub(super) fn explained(message: &str, folder: &Path, start: u64) -> String {
    let log = open::beginning(file(folder), start + OUTPUT as u64).unwrap_or_default();
    let since = log.get(start as usize..).unwrap_or_default();
    match last_report(&String::from_utf8_lossy(since)) {
        Some(line) => format!("{message}; libvirt's log has: {line}"),
        None => format!("{message}; libvirt's log has no further error"),
    }
}

/// The text of the last error, else of the last warning: `2026-11-28 14:24:15.892+0000: 2: error : qemuFunction:69 : what` (virLogFormatString).
fn last_report(log: &str) -> Option<&str> {
    let of_level = |level: &str| {
        let level = format!(": {level} : ");
        let mut lines = log.lines().rev();
        lines.find_map(|line| {
            let (_, report) = line.split_once(&level)?;
            let usual = USUAL.iter().any(|name| report.starts_with(name));
            (!usual).then_some(report)
        })
    };
    of_level("error").or_else(|| of_level("warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-28 14:24:15.892+0000: 2: info : libvirt version: 9.0.0
2026-11-28 14:24:15.892+0000: 2: error : qemuMonitorIO:575 : internal error: End of file from qemu monitor
2026-11-28 14:24:15.893+0000: 2: warning : qemuProcessKill:1 : x
2026-11-28 14:24:15.901+0000: 2: error : virConnectSetKeepAlive:1436 : this function is not supported by the connection driver
";

    #[test]
    fn an_error_without_a_cause_gets_it_from_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = "error: An error occurred, but the cause is unknown";
        assert!(has_no_cause(message) && !has_no_cause("error: no domain"));
        let before = "2026-11-28 14:00:00.000+0000: 2: error : virOld:1 : of a command before\n";
        std::fs::write(file(folder.path()), before).expect("a log");
        let start = size(folder.path());
        let none = explained(message, folder.path(), start);
        assert_eq!(
            none,
            format!("{message}; libvirt's log has no further error")
        );
        std::fs::write(file(folder.path()), format!("{before}{LOG}")).expect("a log");
        let cause = "qemuMonitorIO:575 : internal error: End of file from qemu monitor";
        let explained = explained(message, folder.path(), start);
        assert_eq!(explained, format!("{message}; libvirt's log has: {cause}"));
    }

    #[test]
    fn where_there_is_no_error_the_last_warning_counts() {
        let log = "1: warning : virA:1 : first\n2: warning : virB:2 : second\n";
        assert_eq!(last_report(log), Some("virB:2 : second"));
        assert_eq!(last_report("1: info : virA:1 : nothing\n"), None);
    }
}
