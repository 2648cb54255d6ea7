use super::*;

fn end(ending: Ending, stderr: &str) -> Option<End> {
    Some(End {
        ending,
        stderr: stderr.to_owned(),
    })
}

fn ran(stage: Stage, sides: &[Side], message: &str, ends: [Option<End>; 2]) -> Migrated {
    let [source, destination] = ends;
    Migrated {
        stage,
        sides: sides.to_vec(),
        message: message.to_owned(),
        source,
        destination,
        before: Vec::new(),
        after: Vec::new(),
        plugged: None,
        reset: None,
        statistics: None,
        elapsed: Duration::ZERO,
    }
}

fn outcome_of(ran: &Migrated, cpu: &str) -> (Status, Option<Outcome>, String) {
    let stopped = stopped(ran, cpu, Duration::from_secs(20));
    (stopped.status, stopped.outcome, stopped.reason)
}

const KILLED: Ending = Ending::TimedOut;
const ENFORCE: &str = "qemu: warning: TCG doesn't support requested feature: CPUID[eax=07h,ecx=00h].EBX.avx512f [bit 16]\n\
                       qemu: TCG doesn't support requested features\n";

#[test]
fn enforce_that_refuses_does_what_it_was_asked_for() {
    let ends = || [end(Ending::Exited(1), ENFORCE), end(KILLED, "")];
    let refused = ran(Stage::Start, &[Side::Source], "", ends());
    let reason =
        "refused before start by the source: qemu: TCG doesn't support requested features: avx512f";
    let outcome = Some(Outcome::Refused);
    assert_eq!(
        outcome_of(&refused, "X,enforce"),
        (Status::Pass, outcome, reason.to_owned())
    );
    // Nobody asked for it.
    assert_eq!(
        outcome_of(&refused, "X"),
        (Status::Error, outcome, reason.to_owned())
    );
    // On the other side something else is wrong.
    let both = [
        end(Ending::Exited(1), ENFORCE),
        end(Ending::Exited(1), "qemu: no memory\n"),
    ];
    let refused = ran(Stage::Start, &[Side::Source, Side::Destination], "", both);
    let (status, ..) = outcome_of(&refused, "X,enforce");
    assert_eq!(status, Status::Error);
}

#[test]
fn a_blocked_migration_is_refused_with_the_sources_message() {
    let message = "State blocked by non-migratable CPU device (invtsc flag)";
    let refused = ran(
        Stage::Begin,
        &[Side::Source],
        message,
        [end(KILLED, ""), end(KILLED, "")],
    );
    let reason = format!("refused before start by the source: {message}");
    assert_eq!(
        outcome_of(&refused, "X"),
        (Status::Error, Some(Outcome::Refused), reason)
    );
}

#[test]
fn a_crash_before_it_began_is_no_refusal() {
    let crashed = [
        end(Ending::Signalled(6), "Assertion failed\n"),
        end(KILLED, ""),
    ];
    let reason =
        "before the migration began the source was killed by signal 6; stderr: Assertion failed";
    let crashed = ran(Stage::Start, &[Side::Source], "", crashed);
    assert_eq!(
        outcome_of(&crashed, "X"),
        (Status::Error, None, reason.to_owned())
    );
    let silent = ran(
        Stage::Start,
        &[Side::Destination],
        "",
        [end(KILLED, ""), end(KILLED, "")],
    );
    let reason = "before the migration began the destination did not answer in time";
    assert_eq!(
        outcome_of(&silent, "X"),
        (Status::Error, None, reason.to_owned())
    );
}

#[test]
fn what_the_destination_says_of_the_stream_comes_before_what_the_source_does() {
    let stderr = "qemu: warning: Machine type is deprecated\nqemu: Unknown savevm section or instance 'ib700_wdt' 0\n";
    let ends = [end(KILLED, ""), end(Ending::Exited(1), stderr)];
    let failed = ran(
        Stage::Stream,
        &[Side::Source],
        "Unable to write to socket: Broken pipe",
        ends,
    );
    let reason = "failed in the stream: qemu: Unknown savevm section or instance 'ib700_wdt' 0";
    assert_eq!(
        outcome_of(&failed, "X"),
        (Status::Fail, Some(Outcome::Failed), reason.to_owned())
    );
    let quiet = [end(KILLED, ""), end(Ending::Exited(1), "")];
    let failed = ran(Stage::Resume, &[Side::Destination], "", quiet);
    let reason = "failed in the stream: the destination exited with status 1";
    assert_eq!(
        outcome_of(&failed, "X"),
        (Status::Fail, Some(Outcome::Failed), reason.to_owned())
    );
}

#[test]
fn a_destination_that_dies_or_hangs_is_an_error() {
    let ends = [end(KILLED, ""), end(Ending::Signalled(11), "")];
    let died = ran(Stage::Stream, &[Side::Source], "Broken pipe", ends);
    let reason = "in the stream the destination was killed by signal 11";
    assert_eq!(
        outcome_of(&died, "X"),
        (Status::Error, Some(Outcome::Failed), reason.to_owned())
    );
    for (stage, side, reason) in [
        (
            Stage::Resume,
            Side::Destination,
            "the destination took the stream and never became running",
        ),
        (Stage::Stream, Side::Source, "the stream never ended"),
    ] {
        let hung = ran(stage, &[side], "", [end(KILLED, ""), end(KILLED, "")]);
        assert_eq!(
            outcome_of(&hung, "X"),
            (Status::Error, None, reason.to_owned())
        );
    }
}

#[test]
fn a_guest_that_cannot_be_saved_says_nothing_of_the_destination() {
    let message = "Unable to write to file: No space left on device";
    let full = ran(
        Stage::Save,
        &[Side::Source],
        message,
        [end(KILLED, ""), end(KILLED, "")],
    );
    let reason = format!("the source failed to save the guest: {message}");
    assert_eq!(outcome_of(&full, "X"), (Status::Error, None, reason));
    let died = ran(
        Stage::Save,
        &[Side::Source],
        "",
        [end(Ending::Signalled(25), ""), end(KILLED, "")],
    );
    let reason = "while saving the source was killed by signal 25";
    assert_eq!(
        outcome_of(&died, "X"),
        (Status::Error, None, reason.to_owned())
    );
}

#[test]
fn a_guest_that_breaks_is_reported_with_its_side_and_when() {
    let ends = || [end(KILLED, ""), end(Ending::Exited(35), "")];
    for (stage, side, start) in [
        (Stage::Dump, Side::Source, "on the source: timed out"),
        (
            Stage::DumpAgain,
            Side::Destination,
            "on the destination: the agent met an exception",
        ),
        (
            Stage::Plug,
            Side::Destination,
            "after the hot-plug on the destination: the agent met",
        ),
        (
            Stage::Reset,
            Side::Destination,
            "after the reset on the destination: the agent met",
        ),
    ] {
        let (status, outcome, reason) = outcome_of(&ran(stage, &[side], "", ends()), "X");
        assert_eq!((status, outcome), (Status::Error, None));
        assert!(reason.starts_with(start), "{reason}");
    }
}

#[test]
fn a_cancelled_migration_is_missing() {
    let ends = [end(Ending::Cancelled, ""), end(Ending::Cancelled, "")];
    let cancelled = ran(Stage::Stream, &[Side::Source], "", ends);
    assert_eq!(
        outcome_of(&cancelled, "X"),
        (Status::Miss, None, "cancelled".to_owned())
    );
}
