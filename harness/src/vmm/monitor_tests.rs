use std::time::Instant;

use super::*;

/// What a program in QEMU's place does that stays afterwards; `$fd` is its end of the connection.
fn ending(script: &str, deadline: Duration) -> (Ending, Duration) {
    let script = format!("fd=${{2##*=}}; {script}; exec sleep 987657");
    let line = ["bash", "-c", &script, "qemu"].map(OsString::from);
    let cancel = Cancel::new().expect("an eventfd");
    let started = Instant::now();
    let mut monitor = Monitor::start(line.into(), &[], deadline, &cancel).expect("a shell");
    let asked = monitor
        .greet()
        .and_then(|()| monitor.execute(&command("query-version")));
    assert_eq!(asked, Err(Gone), "{script}");
    (monitor.finish().ending, started.elapsed())
}

const LONG: Duration = Duration::from_secs(60);

/// Well above what a process takes to end, and below the deadline.
const SOON: Duration = Duration::from_secs(20);

#[track_caller]
fn assert_ends_soon(script: &str, expected: Ending) {
    let (ending, took) = ending(script, LONG);
    assert_eq!(ending, expected, "{script}");
    assert!(took < SOON, "{script}: {took:?}");
}

const GREETING: &str = r#"echo '{"QMP": {}}' >&$fd; echo '{"return": {}}' >&$fd"#;

#[test]
fn a_connection_that_is_closed_ends_the_wait_at_once() {
    assert_ends_soon("eval \"exec $fd>&-\"", Ending::Closed);
    let later = format!("{GREETING}; eval \"exec $fd>&-\"");
    assert_ends_soon(&later, Ending::Closed);
}

#[test]
fn what_is_not_qmp_ends_the_wait_at_once() {
    for rubbish in [
        "rubbish",
        "42",
        "[]",
        "{}",
        r#"{"return": {}}"#,
        r#"{"QMP""#,
    ] {
        assert_ends_soon(&format!("echo '{rubbish}' >&$fd"), Ending::Garbled);
    }
    for rubbish in ["rubbish", "42", "null", "{}", r#"{"QMP": {}}"#] {
        let later = format!("{GREETING}; echo '{rubbish}' >&$fd");
        assert_ends_soon(&later, Ending::Garbled);
    }
}

#[test]
fn a_line_that_never_ends_is_not_qmp() {
    assert_ends_soon("head -c 17000000 /dev/zero >&$fd", Ending::Garbled);
}

#[test]
fn silence_is_a_timeout() {
    let (ending, _) = ending(":", Duration::from_millis(200));
    assert_eq!(ending, Ending::TimedOut);
}

#[test]
fn one_that_ends_after_it_closed_the_connection_has_its_own_status() {
    let (ending, _) = ending("eval \"exec $fd>&-\"; exit 7", LONG);
    assert_eq!(ending, Ending::Exited(7));
}
