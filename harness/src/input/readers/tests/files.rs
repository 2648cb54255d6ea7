//! Files as programs write them.

use super::support::{all, cpu, file, keys, only, regs, titles};
use crate::cpuid::dump::Reading;
use crate::input::{Coverage, Format, State};

const AMD: [u32; 3] = [0x6874_7541, 0x444d_4163, 0x6974_6e65];

#[test]
fn cpuid_r_of_a_guest_is_whole() {
    let input = only(file!("rebase-before.cpuid-r.txt"));
    assert_eq!(
        (input.format, input.state, input.coverage),
        (Format::Etallen, State::Os, Coverage::Whole)
    );
    let cpu = &input.cpus[0];
    assert_eq!((cpu.number, cpu.answers.len()), (Some(0), 44));
    assert_eq!(
        regs(cpu, 1, 0),
        Some([0x806ea, 0x800, 0xfffa_b223, 0xf8b_fbff])
    );
    assert_eq!(regs(cpu, 4, 3), Some([0x163, 0x3c0_003f, 0x3fff, 6]));
    assert_eq!(
        only(file!("rebase-after.cpuid-r.txt")).coverage,
        Coverage::Whole
    );
}

#[test]
fn cpuid_r_of_a_report_that_shows_some_leaves_is_an_excerpt() {
    let input = only(file!("t2a.cpuid-r.txt"));
    assert_eq!(
        (input.coverage, input.cpus[0].answers.len()),
        (Coverage::Excerpt, 13)
    );
}

#[test]
fn a_part_of_an_instlatx64_file_is_an_excerpt() {
    let input = only(file!("hygon.instlatx64.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::InstLatx64, Coverage::Excerpt)
    );
    let cpu = &input.cpus[0];
    assert_eq!(cpu.number, Some(0));
    assert_eq!(
        regs(cpu, 0, 0),
        Some([0x10, 0x6f67_7948, 0x656e_6975, 0x6e65_476e])
    );
    assert_eq!(regs(cpu, 0xd, 2), Some([0x100, 0x240, 0, 0]));
    assert_eq!(
        regs(cpu, 0x8000_001d, 3),
        Some([0x1_c163, 0x3c0_003f, 0x1fff, 1])
    );
    assert_eq!(cpu.answers.len(), 13);
}

#[test]
fn a_file_of_aida64_has_a_title_and_msrs() {
    let input = only(file!("duron.aida64.txt"));
    assert_eq!(input.title.as_deref(), Some("AMD Duron, 900 MHz"));
    assert_eq!((input.coverage, input.state), (Coverage::Whole, State::Os));
    let cpu = &input.cpus[0];
    assert_eq!(cpu.answers.len(), 9);
    let msrs: Vec<(u32, Reading)> = cpu.msrs.iter().map(|(msr, read)| (*msr, *read)).collect();
    assert_eq!(
        msrs,
        [
            (0x10, Reading::Value(0x12_3456_789a)),
            (0x1b, Reading::Value(0xfee0_0900)),
            (0x277, Reading::Value(0x0007_0406_0007_0406)),
            (0xc000_0080, Reading::Fault(13)),
        ]
    );
}

#[test]
fn libcpuids_leaves_beyond_the_limits_are_no_answers() {
    let input = only(file!("duron.libcpuid.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Libcpuid, Coverage::Excerpt)
    );
    let cpu = &input.cpus[0];
    assert_eq!(
        keys(cpu),
        [(0, 0), (1, 0), (0x8000_0000, 0), (0x8000_0001, 0)]
    );
    assert_eq!(regs(cpu, 0, 0), Some([1, AMD[0], AMD[1], AMD[2]]));
}

#[test]
fn kcpuid_leaves_out_zeroes() {
    let input = only(file!("rome.kcpuid.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Kcpuid, Coverage::WithoutZeroes)
    );
    let cpu = &input.cpus[0];
    assert_eq!(regs(cpu, 7, 0), Some([0, 0x219c_91a9, 0x40_0004, 0]));
    assert_eq!(regs(cpu, 0xd, 2), Some([0x100, 0x240, 0, 0]));
    assert_eq!(
        regs(cpu, 0x8000_001d, 1),
        Some([0x4122, 0x1c0_003f, 0x3f, 0])
    );
    assert_eq!(cpu.answers.len(), 10);
}

#[test]
fn x86info_is_read_between_its_other_lines() {
    let cpu = cpu(file!("willamette.x86info.txt"));
    assert_eq!(keys(&cpu), [(0, 0), (1, 0), (2, 0), (0x8000_0000, 0)]);
    assert_eq!(regs(&cpu, 1, 0), Some([0xf12, 0x1_0808, 0, 0x3feb_fbff]));
    let input = only(file!("willamette.x86info.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::X86info, Coverage::Excerpt)
    );
}

#[test]
fn tychos_dump_is_read() {
    let input = only(file!("sandy-bridge.tycho.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Tycho, Coverage::Excerpt)
    );
    let cpu = &input.cpus[0];
    assert_eq!(regs(cpu, 4, 2), Some([0x3c00_4143, 0x1c0_003f, 0x1ff, 0]));
    assert_eq!(cpu.answers.len(), 7);
}

#[test]
fn xens_policies_are_dumps_with_titles() {
    let inputs = all(file!("policies.xen.txt"));
    assert_eq!(titles(&inputs), [Some("Raw"), Some("PV Max")]);
    let raw = &inputs[0];
    assert_eq!(
        (raw.state, raw.coverage),
        (State::Unknown, Coverage::WithoutZeroes)
    );
    assert_eq!(
        regs(&raw.cpus[0], 4, 1),
        Some([0x1c00_4122, 0x1c0_003f, 0x3f, 0])
    );
    assert_eq!(raw.cpus[0].msrs[&0xce], Reading::Value(0x8000_0000));
    assert_eq!(inputs[1].cpus[0].answers.len(), 3);
}

#[test]
fn xens_feature_sets_are_single_registers() {
    let inputs = all(file!("sets.xen.txt"));
    assert_eq!(titles(&inputs), [Some("Raw"), Some("HVM Max")]);
    let cpu = &inputs[0].cpus[0];
    assert_eq!(inputs[0].coverage, Coverage::Excerpt);
    assert!(cpu.answers.is_empty());
    let register = |leaf, subleaf, register| {
        let key = crate::cpuid::answers::Key::new(leaf, subleaf);
        cpu.registers.get(&(key, register)).copied()
    };
    assert_eq!(register(1, 0, 3), Some(0xbfeb_fbff));
    assert_eq!(register(7, 0, 1), Some(0x27ab));
    assert_eq!(register(1, 0, 0), None);
    assert_eq!(cpu.msrs[&0x10a], Reading::Value(0x2_0000_0001));
}

#[test]
fn kvms_trace_keeps_the_first_answer() {
    let input = only(file!("trace.kvm.txt"));
    assert_eq!(
        (input.format, input.coverage),
        (Format::Registers, Coverage::Excerpt)
    );
    let cpu = &input.cpus[0];
    assert_eq!(keys(cpu), [(0, 0), (1, 0), (0xd, 1)]);
    assert_eq!(
        regs(cpu, 1, 0),
        Some([0x663, 0x800, 0xf6fa_3203, 0xf8b_fbff])
    );
    assert_eq!(cpu.repeated, []);
}
