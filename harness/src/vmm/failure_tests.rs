use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

fn ended(ending: Ending, stderr: &str) -> Boot {
    Boot {
        command: Vec::new(),
        ending,
        stderr: stderr.to_owned(),
        elapsed: Duration::ZERO,
        view: None,
        console: None,
        slots: Vec::new(),
    }
}

#[test]
fn the_list_of_unemulated_features_is_left_out() {
    let stderr = "qemu: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]\n\
                  qemu: target/i386/cpu.c:384: Assertion failed.\n";
    assert_eq!(
        without_tcg_warnings(stderr),
        "qemu: target/i386/cpu.c:384: Assertion failed."
    );
}

#[test]
fn the_line_that_ended_qemu_stands_before_its_warnings() {
    let stderr = "qemu: warning: host doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx2 [bit 5]\n\
                  qemu: CPU model 'host' requires KVM or HVF\n";
    let failure = ended(Ending::Exited(1), stderr).failure(None, TIMEOUT);
    assert_eq!(
        failure.to_string(),
        "QEMU exited with status 1; stderr: qemu: CPU model 'host' requires KVM or HVF\n\
         qemu: warning: host doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx2 [bit 5]"
    );
}

#[test]
fn a_refusal_by_enforce_is_a_kind_of_its_own() {
    let refusal = "qemu: warning: TCG doesn't support requested feature: CPUID.01H:ECX.pcid [bit 17]\n\
                   qemu-system-x86_64: TCG doesn't support requested features\n";
    let failure = ended(Ending::Exited(1), refusal).failure(None, TIMEOUT);
    assert_eq!(failure.kind, BootFailureKind::RefusedByEnforce(1));
    assert_eq!(
        failure.to_string(),
        "QEMU exited with status 1; stderr: qemu-system-x86_64: TCG doesn't support requested features"
    );
    let warned = refusal.lines().next().unwrap_or_default();
    let other = ended(Ending::Exited(1), warned).failure(None, TIMEOUT);
    assert_eq!(other.kind, BootFailureKind::Refused(1));
}

#[test]
fn an_msr_that_kvm_refuses_is_a_kind_of_its_own() {
    let stderr = "qemu-system-x86_64: warning: host doesn't support requested feature: MSR(48BH).vmx-ple [bit 10]\n\
                  qemu-system-x86_64: error: failed to set MSR 0x48b to 0x2137fff00000000\n\
                  qemu-system-x86_64: target/i386/kvm/kvm.c:3877: kvm_buf_set_msrs: Assertion failed.\n";
    let failure = ended(Ending::Signalled(6), stderr).failure(None, TIMEOUT);
    let value = 0x0213_7fff_0000_0000;
    assert_eq!(failure.kind, BootFailureKind::MsrRefused(0x48B, value));
    let message = failure.to_string();
    let start = "KVM refuses 0x2137fff00000000 in MSR 48BH, and QEMU gave up; stderr: ";
    assert!(message.starts_with(start), "{message}");
    let other = ended(Ending::Signalled(6), "qemu: Assertion failed.\n");
    assert_eq!(
        other.failure(None, TIMEOUT).kind,
        BootFailureKind::Killed(6)
    );
}

#[test]
fn timeout_signal_cancel_and_kvm_are_told_apart() {
    for (ending, kind, message) in [
        (
            Ending::TimedOut,
            BootFailureKind::TimedOut(TIMEOUT),
            "timed out: no end after 20 s",
        ),
        (
            Ending::Signalled(11),
            BootFailureKind::Killed(11),
            "QEMU was killed by signal 11",
        ),
        (Ending::Cancelled, BootFailureKind::Cancelled, "cancelled"),
        (
            Ending::Closed,
            BootFailureKind::Disconnected,
            "QEMU closed its connection to the harness",
        ),
        (
            Ending::Garbled,
            BootFailureKind::QmpGarbled,
            "QEMU sent what is not QMP",
        ),
        (
            Ending::Stopped,
            BootFailureKind::KvmGaveUp,
            "KVM gave up on the guest",
        ),
    ] {
        let failure = ended(ending, "").failure(None, TIMEOUT);
        assert_eq!(
            (failure.kind, failure.to_string()),
            (kind, message.to_owned())
        );
    }
}

#[test]
fn an_incomplete_dump_keeps_the_error_of_the_stream() {
    let status = crate::vmm::guest::exit_status(fidelity_protocol::config::EXIT_OK);
    let boot = ended(Ending::Exited(status), "");
    assert!(boot.outcome(None, TIMEOUT).is_ok());
    let failure = boot
        .outcome(Some(&StreamError::Empty), TIMEOUT)
        .expect_err("a dump that is empty");
    assert_eq!(failure.kind, BootFailureKind::Incomplete);
    assert_eq!(
        failure.to_string(),
        "the guest ended, but its dump is not whole; the agent reported nothing"
    );
    let source = Error::source(&failure).expect("a source").to_string();
    assert_eq!(source, "the agent reported nothing");
}

#[test]
fn a_kernel_that_ended_early_shows_its_console() {
    let boot = Boot {
        console: Some("  Kernel panic".to_owned()),
        ..ended(Ending::Exited(0), "")
    };
    let failure = boot.failure(None, TIMEOUT);
    assert_eq!(failure.kind, BootFailureKind::KernelEnded);
    assert_eq!(
        failure.to_string(),
        "the guest's kernel ended before /init had reported; console:\n  Kernel panic"
    );
}
