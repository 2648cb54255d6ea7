//! A leaf and subleaf that a file has twice.

use super::support::{all, only, regs};
use crate::cpuid::answers::Key;

const VENDOR: &str = "eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";

#[test]
fn another_answer_of_one_subleaf_is_kept_for_checks() {
    let input = only(format!(
        "CPU 0:\n0x00000000 0x00: {VENDOR}\n0x00000004 0x00: eax=0x121 ebx=0x0 ecx=0x3f edx=0x0\n\
         0x00000004 0x00: eax=0x122 ebx=0x0 ecx=0x3f edx=0x0\n0x00000005 0x00: {VENDOR}\n"
    ));
    let cpu = &input.cpus[0];
    assert_eq!(regs(cpu, 4, 0), Some([0x121, 0, 0x3f, 0]));
    assert_eq!(cpu.repeated, [(Key::new(4, 0), [0x122, 0, 0x3f, 0])]);
}

#[test]
fn the_same_answer_twice_is_one_answer() {
    let line = "0x00000004 0x00: eax=0x121 ebx=0x0 ecx=0x3f edx=0x0\n";
    assert_eq!(only(line.repeat(2)).cpus[0].repeated, []);
}

#[test]
fn leaf_0_twice_in_a_row_is_no_second_dump() {
    let inputs = all(format!(
        "0x00000000 0x00: {VENDOR}\n0x00000000 0x00: eax=0x1 ebx=0x0 ecx=0x0 edx=0x0\n"
    ));
    assert_eq!((inputs.len(), inputs[0].cpus[0].repeated.len()), (1, 1));
}
