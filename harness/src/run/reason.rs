//! Why a guest did not run to its end, in one message.

use std::time::Duration;

use crate::util::process::Ending;
use crate::vmm::guest::Boot;

/// One message, most telling part first.
pub(super) fn reason(boot: &Boot, problem: Option<&str>, timeout: Duration) -> String {
    let seconds = timeout.as_secs_f64();
    let mut parts = vec![match boot.ending {
        Ending::TimedOut => format!("timed out: no end after {seconds} s"),
        Ending::Cancelled => "cancelled".to_owned(),
        Ending::Stopped => "KVM gave up on the guest".to_owned(),
        Ending::Signalled(signal) => format!("QEMU was killed by signal {signal}"),
        Ending::Exited(_) if boot.completed() => {
            "the guest ended, but its dump is not whole".to_owned()
        }
        Ending::Exited(_) if boot.faulted() => {
            "the agent met an exception it did not expect".to_owned()
        }
        Ending::Exited(0) if boot.console.is_some() => {
            "the guest's kernel ended before /init had reported".to_owned()
        }
        Ending::Exited(code) => format!("QEMU exited with status {code}"),
    }];
    parts.extend(problem.map(str::to_owned));
    if !boot.completed() {
        parts.extend(
            boot.last_operation()
                .map(|last| format!("last seen at {last}")),
        );
    }
    let said = telling(&boot.stderr);
    if !said.is_empty() {
        parts.push(format!("stderr: {said}"));
    }
    if let Some(console) = boot.console.as_ref().filter(|_| !boot.completed()) {
        parts.push(format!("console:\n{console}"));
    }
    parts.join("; ")
}

/// What QEMU said, but for its list of features that TCG does not emulate: dozens of lines a vCPU, about every guest of
/// the lane `definition`, in front of the one line that matters.
pub(super) fn telling(stderr: &str) -> String {
    let usual = |line: &&str| !line.contains("warning: TCG doesn't support requested feature: ");
    let lines: Vec<&str> = stderr.trim().lines().filter(usual).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::telling;

    #[test]
    fn the_list_of_unemulated_features_is_left_out() {
        let stderr = "qemu: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]\n\
                      qemu: target/i386/cpu.c:384: Assertion failed.\n";
        assert_eq!(
            telling(stderr),
            "qemu: target/i386/cpu.c:384: Assertion failed."
        );
    }
}
