//! Firecracker's fingerprints and templates.

use super::support::{cpuid, field, file, known, only, presence, refused, regs};
use crate::cpuid::Reading;
use crate::input::{Coverage, Format, Presence, Register};

#[test]
fn a_fingerprint_has_a_guest_whole() {
    let input = only(file!("milan.fingerprint.json"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Firecracker, Coverage::Whole)
    );
    assert_eq!(
        input.title.as_deref(),
        Some("Firecracker 1.12.0, Linux 6.1.129")
    );
    let cpu = &input.cpus[0];
    assert_eq!(
        regs(cpu, 7, 0),
        Some([0, 0x219c_05ab, 0x0040_060c, 0x8c00_0000])
    );
    assert_eq!(cpu.msrs[&0x174], Reading::Value(0));
    assert_eq!(field(cpu, "microcode"), Some("0xa0011db"));
    assert_eq!(presence(&input, "avx2"), Presence::Present);
}

#[test]
fn a_template_leaves_the_bits_that_it_does_not_set_unknown() {
    let input = only(file!("t2.firecracker.json"));
    assert_eq!(input.coverage, Coverage::Excerpt);
    assert!(input.cpus[0].answers.is_empty());
    assert_eq!(known(&input, cpuid(1, 0, 0)), (0x0003_06f2, 0x0fff_3fff));
    assert_eq!(known(&input, cpuid(1, 0, 1)), (0, 0));
    // Digits that are left out are bits of which nothing is said.
    assert_eq!(known(&input, cpuid(7, 0, 1)), (0b10_0100, 0b11_0100));
    let bits = 0xffff_ffff_e2f5_1e00;
    assert_eq!(known(&input, Register::Msr(0x10a)), (0, bits));
    let known = ["avx2", "bmi1", "monitor"].map(|name| presence(&input, name));
    assert_eq!(
        known,
        [Presence::Present, Presence::Unknown, Presence::Absent]
    );
}

#[test]
fn what_breaks_the_rules_of_firecracker_is_an_error_with_its_place() {
    let template = |modifier: &str| {
        format!(
            "{{\"cpuid_modifiers\": [\n{{\"leaf\": \"0x1\", \"subleaf\": \"0x0\", \"flags\": 0, \"modifiers\": [\n{modifier}]}}]}}"
        )
    };
    let long = format!("0b{}", "1".repeat(33));
    for (text, expected) in [
        (
            template("{\"register\": \"eax\", \"bitmap\": \"0b012\"}"),
            "line 3, column 37: invalid value: string \"0b012\", expected 0b and at most 32 digits of 0, 1 and x".to_owned(),
        ),
        (
            template(&format!("{{\"register\": \"eax\", \"bitmap\": \"{long}\"}}")),
            format!("line 3, column 67: invalid value: string \"{long}\", expected 0b and at most 32 digits of 0, 1 and x"),
        ),
        (
            template("{\"register\": \"rax\", \"bitmap\": \"0b0\"}"),
            "line 3, column 18: unknown variant `rax`, expected one of `eax`, `ebx`, `ecx`, `edx`".to_owned(),
        ),
        (
            "{\"cpuid_modifiers\": [{\"leaf\": \"x\"}]}".to_owned(),
            "line 1, column 34: expected a number such as 0x7, found x".to_owned(),
        ),
        (
            "{\"reg_modifiers\": [{\"addr\": \"0x6030000000100002\", \"bitmap\": \"0b0\"}]}".to_owned(),
            "line 1, column 1: expected cpuid_modifiers or msr_modifiers, found the registers of an Arm processor, or none".to_owned(),
        ),
    ] {
        let expected = format!("{expected} (read as a fingerprint or template of Firecracker)");
        assert_eq!(refused(&text), expected, "{text}");
    }
}
