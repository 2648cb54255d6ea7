//! Forty-six ways to be no good QEMU, and what is printed of each. All have exit status 3: nothing is known of the guest.

/// One way.
pub struct Row {
    /// What is wrong; the name of the file, too.
    pub name: &'static str,
    /// What stands in QEMU's place.
    pub stand_in: StandIn,
    /// Part of a line that is printed.
    pub prints: &'static str,
}

/// What stands in QEMU's place.
pub enum StandIn {
    /// Made by this shell command, which has its path in `$1`.
    File(&'static str),
    /// A script that does this whatever it is asked.
    Script(&'static str),
    /// A script that speaks QMP as QEMU does up to its machine types, and instead of the next answer does this.
    Qmp(&'static str),
    /// A script that answers each question with QEMU's own answer, and does this in place of a guest.
    Guest(&'static str),
}

use StandIn::{File, Guest, Qmp, Script};

const fn row(name: &'static str, stand_in: StandIn, prints: &'static str) -> Row {
    Row {
        name,
        stand_in,
        prints,
    }
}

const DEAF: &str = "does not answer over QMP (did not answer in time)";
const DEAD: &str = "does not answer over QMP (exited with status 1";
const LATE: &str = "timed out: no end after 1 s";

/// Every way.
pub const ROWS: [Row; 46] = [
    // No program.
    row(
        "is-not-there",
        File(":"),
        "is-not-there: No such file or directory",
    ),
    row(
        "leads-to-itself",
        File("ln -s $1 $1"),
        "leads-to-itself: Too many levels of symbolic links",
    ),
    row(
        "is-not-executable",
        File("echo '#!/bin/sh' > $1"),
        "is-not-executable: Permission denied",
    ),
    row(
        "is-a-link-to-itself",
        File("ln -s $1 $1"),
        "is-a-link-to-itself: Too many levels of symbolic links",
    ),
    row(
        "is-empty",
        File(": > $1; chmod 755 $1"),
        "is-empty does not answer over QMP (exited with status 0)",
    ),
    row(
        "is-no-program",
        File("echo 'echo hello' > $1; chmod 755 $1"),
        "is-no-program does not answer over QMP (exited with status 0)",
    ),
    row(
        "has-no-interpreter",
        File("echo '#!/nonexistent/sh' > $1; chmod 755 $1"),
        "has-no-interpreter: No such file or directory",
    ),
    row(
        "is-a-cut-program",
        File("head -c 4096 /bin/sh > $1; chmod 755 $1"),
        "is-a-cut-program",
    ),
    // No answer.
    row(
        "exits-with-0",
        Script("exit 0"),
        "does not answer over QMP (exited with status 0)",
    ),
    row(
        "exits-with-a-message",
        Script("echo 'no luck' >&2; exit 1"),
        "does not answer over QMP (exited with status 1: no luck)",
    ),
    row(
        "kills-itself",
        Script("kill -9 $$"),
        "does not answer over QMP (was killed by signal 9)",
    ),
    row("stops-itself", Script("kill -STOP $$; exit 1"), DEAF),
    row("hangs", Script("hang"), DEAF),
    row(
        "hangs-with-a-child",
        Script("cat \"$here/never\"; exit 1"),
        DEAF,
    ),
    row(
        "ignores-signals",
        Script("trap '' INT TERM HUP; while :; do cat \"$here/never\"; done"),
        DEAF,
    ),
    row(
        "leaves-a-child",
        Script("cat \"$here/never\" & exit 1"),
        DEAD,
    ),
    row(
        "closes-its-streams",
        Script("exec 0<&- 1>&- 2>&-; exit 1"),
        DEAD,
    ),
    row(
        "prints-its-version",
        Script("echo 'QEMU emulator version 10.0.0'; exit 1"),
        DEAD,
    ),
    row(
        "floods-stderr-and-ends",
        Script("head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1"),
        DEAD,
    ),
    row(
        "floods-stderr",
        Script("exec yes >&2"),
        "does not answer over QMP (did not answer in time: y)",
    ),
    row(
        "prints-no-utf-8",
        Script("printf '\\377\\376' >&2; exit 1"),
        DEAD,
    ),
    // A monitor that breaks.
    row(
        "closes-qmp",
        Script("eval \"exec $fd>&-\"; hang"),
        "does not answer over QMP",
    ),
    row(
        "greets-with-rubbish",
        Script("say 'hello'; hang"),
        "does not answer over QMP",
    ),
    row(
        "greets-falsely",
        Script("say '{\"QMQ\": 1}'; hang"),
        "does not answer over QMP",
    ),
    row(
        "greets-with-half-a-line",
        Script("printf '{\"QMP\": ' >&$fd; hang"),
        DEAF,
    ),
    row(
        "greets-without-end",
        Script("tr '\\0' x </dev/zero >&$fd"),
        "does not answer over QMP",
    ),
    row("greets-and-dies", Script("greet; exit 1"), DEAD),
    row("greets-and-hangs", Script("greet; hang"), DEAF),
    row(
        "refuses-to-negotiate",
        Script("greet; say '{\"error\": {\"desc\": \"no\"}}'; hang"),
        "does not answer over QMP",
    ),
    row(
        "floods-qmp-with-events",
        Script("greet; exec yes '{\"event\": \"X\"}' >&$fd"),
        DEAF,
    ),
    row(
        "nests-its-answer-deeply",
        Script("greet; printf '[%.0s' {1..9999} >&$fd; say ''; hang"),
        "does not answer over QMP",
    ),
    row(
        "dies-in-its-answer",
        Qmp("printf '{\"return\": [' >&$fd; exit 1"),
        DEAD,
    ),
    row(
        "refuses-a-question",
        Qmp("say '{\"error\": {\"desc\": \"not today\"}}'; hang"),
        "refused query-machines: not today",
    ),
    row(
        "answers-with-another-form",
        Qmp("say '{\"return\": {\"a\": 1}}'; hang"),
        "its answer to query-machines is not of the form that QEMU documents",
    ),
    row(
        "names-a-machine-like-a-path",
        Qmp("say '{\"return\": [{\"name\": \"../../x\"}]}'; hang"),
        "its answer to query-machines is not of the form",
    ),
    row(
        "answers-without-utf-8",
        Qmp("say $'{\"return\": [{\"name\": \"\\377\"}]}'; hang"),
        "does not answer over QMP",
    ),
    // A guest that breaks.
    row(
        "guest-ends-with-1",
        Guest("exit 1"),
        "QEMU exited with status 1; the agent reported nothing",
    ),
    row(
        "guest-ends-with-0",
        Guest("exit 0"),
        "QEMU exited with status 0; the agent reported nothing",
    ),
    row(
        "guest-ends-as-if-done",
        Guest("exit 33"),
        "the guest ended, but its dump is not whole; the agent reported nothing",
    ),
    row(
        "guest-is-killed",
        Guest("kill -SEGV $$"),
        "QEMU was killed by signal 11",
    ),
    row("guest-hangs", Guest("hang"), LATE),
    row("guest-stops-itself", Guest("kill -STOP $$; exit 1"), LATE),
    row("guest-floods-stderr", Guest("exec yes >&2"), LATE),
    row(
        "guest-has-garbled-memory",
        Guest("head -c 8000000 /dev/urandom | dd of=\"$memory\" conv=notrunc status=none; exit 33"),
        "the guest ended, but its dump is not whole",
    ),
    row(
        "guest-has-no-memory-left",
        Guest(": > \"$memory\"; exit 33"),
        "the guest ended, but its dump is not whole",
    ),
    row(
        "lies-about-its-machines",
        Guest("exec \"$q\" -machine pc-q35-99.9 -display none"),
        "unsupported machine type",
    ),
];
