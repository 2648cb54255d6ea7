//! A QEMU that stays, and whose QMP connection is closed or carries something else: it is an error at once, not at the deadline.

use std::time::Duration;

use super::world::World;

/// The number of the connection, out of QEMU's command line.
const FD: &str =
    "fd=$(echo \"$*\" | sed -n 's/.*id=qmp,fd=\\([0-9]*\\).*/\\1/p'); never=\"${0%/*}/never\"";

/// What a QEMU does, and what is reported.
const WAYS: [(&str, &str); 3] = [
    ("exec $fd>&-", "closed its connection to the harness"),
    ("echo rubbish >&$fd", "sent what is not QMP"),
    (
        "echo '{\\\"QMP\\\": {}}' >&$fd; echo rubbish >&$fd",
        "sent what is not QMP",
    ),
];

/// Time in which a case that does not wait for its deadline (60 s) ends on a busy machine.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_qemu_asked_about_itself_need_not_be_waited_for() {
    for (way, reason) in WAYS {
        let mut world = or_skip!(World::new(&["486-v1"], &[]));
        world.replace_qemu(&script(way));
        let ended = world.run(&["list"]).expect(3);
        ended.prints(&format!("does not answer over QMP ({reason})"));
        assert!(ended.took < SOON, "{way}: {:?}", ended.took);
        world.assert_clean();
    }
}

#[test]
fn a_guest_need_not_be_waited_for() {
    for (way, reason) in WAYS {
        let mut world = or_skip!(World::new(&["486-v1"], &[]));
        world.select(&[], &[], &["486-v1"]);
        world.mark_release_as_recorded();
        world.replace_guests(&script(way));
        let ended = world.run(&["run", "--json", "run.json"]).expect(3);
        let case = &world.cases("run.json")[0];
        assert_eq!(case["status"], "ERROR", "{case}");
        let found = case["reason"].as_str().expect("a reason");
        assert!(found.contains(&format!("QEMU {reason}")), "{found}");
        assert!(ended.took < SOON, "{way}: {:?}", ended.took);
        world.assert_clean();
    }
}

/// bash has descriptors of more than one digit.
fn script(way: &str) -> String {
    let way = way.replace("$fd>", "${fd}>");
    format!("{FD}\nexec bash -c \"{way}; exec cat '$never'\"")
}
