//! `libvirt maps --check`: what is recorded of a libvirt, and of one that nobody recorded.

use super::libvirt;
use super::world::{Ended, World};

/// A world that has these files of libvirt's for its QEMU, each with the content of a libvirt without entries.
fn checked(world: &World, files: &[(&str, &str)]) -> Ended {
    let release = world.release();
    for (libvirt, content) in files {
        let folder = format!("expectations/{libvirt}/{release}");
        std::fs::create_dir_all(world.path(&folder)).expect("a folder");
        for name in ["names", "models"] {
            let text = format!("---\nsource: a test\n---\n{content}");
            world.write(&format!("{folder}/{name}.snap"), &text);
        }
    }
    world.run(&["libvirt", "maps", "--check"])
}

fn recorded_world() -> Option<World> {
    let world = libvirt::world()?;
    let release = world.release();
    world.copy_expectation(&format!("{release}/models/486-v1.snap"));
    Some(world)
}

#[test]
fn a_libvirt_of_which_nothing_is_recorded_is_no_pass() {
    let world = or_skip!(recorded_world());
    let ended = checked(&world, &[]).expect(3);
    ended.prints("nothing was compared: no expectation libvirt-");
    ended.prints(", nor one of a libvirt before it");
}

#[test]
fn a_libvirt_that_nobody_recorded_is_compared_with_the_one_before_it() {
    let world = or_skip!(recorded_world());
    let files = [
        ("libvirt-0.9", "an older line\n"),
        ("libvirt-1.0", "the nearest line\n"),
        ("libvirt-99.0", "a newer line\n"),
    ];
    let ended = checked(&world, &files).expect(1);
    ended.prints("/names.snap yet: compared with libvirt-1.0\n");
    ended.prints("-the nearest line\n");
    assert!(!ended.stdout.contains("older") && !ended.stdout.contains("newer"));
}

#[test]
fn a_qemu_of_which_nothing_is_recorded_is_no_pass() {
    let world = or_skip!(libvirt::world());
    world
        .run(&["libvirt", "maps"])
        .expect(3)
        .prints("nothing was compared: no definitions are recorded for any of these QEMUs");
}
