//! Spellings of one format that are all in use.

use super::support::{all, cpu, keys, only, regs};
use crate::input::{Coverage, Format};

const VENDOR: &str = "eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";

#[test]
fn cpuid_r_of_one_processor_has_no_number() {
    let cpu = cpu(format!("CPU:\n   0x00000000 0x00: {VENDOR}\n"));
    assert_eq!((cpu.number, keys(&cpu)), (None, vec![(0, 0)]));
}

#[test]
fn cpuid_r_may_lack_headings_subleaves_and_zeroes() {
    let cpu = cpu(format!(
        "0x00000000: {VENDOR}\n0x4: eax=0x121 ebx=0 ecx=0x3f edx=0\n0x4: eax=0x122 ebx=0 ecx=0x3f edx=0\n"
    ));
    assert_eq!(keys(&cpu), [(0, 0), (4, 0), (4, 1)]);
}

#[test]
fn hexadecimal_digits_and_names_may_be_large() {
    let cpu = cpu("0X0000000D 0X01: EAX=0X0000000F EBX=0X000003C0 ECX=0X00000000 EDX=0X00000000");
    assert_eq!(regs(&cpu, 0xd, 1), Some([0xf, 0x3c0, 0, 0]));
}

#[test]
fn a_column_of_text_is_passed_over() {
    for column in [
        "....GenuntelineI",
        "| ....GenuntelineI",
        "\"GenuineIntel\"",
        "[GenuineIntel]",
        "# vendor",
    ] {
        let cpu = cpu(format!("0x00000000 0x00: {VENDOR} {column}\n"));
        assert_eq!(regs(&cpu, 0, 0).map(|regs| regs[0]), Some(0xd), "{column}");
    }
}

#[test]
fn processors_keep_the_numbers_of_the_file() {
    let input = only(format!(
        "CPU 0:\n0x00000000 0x00: {VENDOR}\nCPU 2:\n0x00000000 0x00: {VENDOR}\n"
    ));
    let numbers: Vec<Option<u32>> = input.cpus.iter().map(|cpu| cpu.number).collect();
    assert_eq!(numbers, [Some(0), Some(2)]);
}

#[test]
fn old_files_of_instlatx64_count_subleaves() {
    let cpu = cpu("CPUID 00000000: 0000000B-756E6547-6C65746E-49656E69\n\
         CPUID 00000004: 1C004121-01C0003F-0000003F-00000000\n\
         CPUID 00000004: 1C004122-00C0003F-0000007F-00000000\n\
         CPUID 0000000B: 00000001-00000002-00000100-00000000\n\
         CPUID 0000000B: 00000004-00000008-00000201-00000000\n");
    assert_eq!(keys(&cpu), [(0, 0), (4, 0), (4, 1), (0xb, 0), (0xb, 1)]);
}

#[test]
fn sections_of_instlatx64_name_processors() {
    let input = only(
        "CPU#000 AffMask: 0x00000001\nCPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n\
         ------[ Logical CPU #1 ]------\nCPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n\
         ------[ MSR Registers / Logical CPU #1 ]------\nMSR 0000001B: 0000-0000-FEE0-0800\n",
    );
    let msrs: Vec<usize> = input.cpus.iter().map(|cpu| cpu.msrs.len()).collect();
    assert_eq!(msrs, [0, 1]);
}

#[test]
fn second_threads_that_aida64_calls_virtual_have_their_numbers() {
    let section = |name: &str| {
        format!(
            "------[ CPUID Registers / {name} ]------\nCPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n"
        )
    };
    let sections = ["Logical CPU #0", "Logical CPU #1 Virtual", "Logical CPU #2"].map(section);
    let input = only(sections.concat());
    let numbers: Vec<Option<u32>> = input.cpus.iter().map(|cpu| cpu.number).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
}

#[test]
fn aida64_closes_the_remark_about_l2_and_l3_twice() {
    let line = "CPUID 80000006: 48006400-68006400-02006140-04009140 [L2: 512 KB] / L3: 131072 KB]";
    let cpu = cpu(line);
    let expected = [0x4800_6400, 0x6800_6400, 0x0200_6140, 0x0400_9140];
    assert_eq!(regs(&cpu, 0x8000_0006, 0), Some(expected));
}

#[test]
fn first_versions_of_tychos_cpuid_are_read() {
    let cpu = cpu(
        "CPUID 00000000, results = 0000000a 756e6547 6c65746e 49656e69 | ....Genu\n\
         CPUID 00000004, index 1 = 0c000122 01c0003f 0000003f 00000001 | \"...\n",
    );
    assert_eq!(keys(&cpu), [(0, 0), (4, 1)]);
}

#[test]
fn lines_that_name_registers_are_read_in_many_spellings() {
    for line in [
        "CPUID 0x00000007 0x00: eax=0x00000000 ebx=0x219c91a9 ecx=0x00400004 edx=0x0",
        "CPUID.07H.00H: EAX=0, EBX=219C91A9H, ECX=00400004H, EDX=0",
        "CPUID.(EAX=07H,ECX=0): EAX=0x0 EBX=0x219c91a9 ECX=0x400004 EDX=0x0",
        "cpuid(0x7, 0x0): eax: 0x0 ebx: 0x219c91a9 ecx: 0x400004 edx: 0x0",
        "[    1.2] x86: leaf 7 subleaf 0: eax = 0, ebx = 219c91a9, ecx = 400004, edx = 0",
        "CPUID query: leaf/subleaf 0x7/0x0, returns rax = 0x0, rbx = 0x219c91a9, rcx = 0x400004, rdx = 0x0",
    ] {
        let input = only(line);
        assert_eq!(
            (input.format, input.coverage),
            (Format::Registers, Coverage::Excerpt)
        );
        assert_eq!(
            regs(&input.cpus[0], 7, 0),
            Some([0, 0x219c_91a9, 0x40_0004, 0]),
            "{line}"
        );
    }
}

#[test]
fn lines_that_name_registers_may_be_broken() {
    for line in [
        "CPUID 0x1: eax=0x1\n ebx=0x2 ecx=0x3 edx=0x4\n",
        "cpuid(0x1): EAX=1,\n EBX=2, ECX=3,\n EDX=4\n",
    ] {
        assert_eq!(regs(&cpu(line), 1, 0), Some([1, 2, 3, 4]), "{line}");
    }
}

#[test]
fn kernels_call_subleaves_by_two_names() {
    for name in ["subleafs", "subleaves"] {
        let cpu = cpu(format!(
            "0x0000000b: {name}:\n  1: EAX=0x5, EBX=0x10, ECX=0x201, EDX=0x0\n"
        ));
        assert_eq!(keys(&cpu), [(0xb, 1)]);
    }
}

#[test]
fn xens_parts_have_an_order_where_there_is_no_key() {
    let parts: Vec<String> = (1..=19).map(|part| format!("{part:08x}")).collect();
    let inputs = all(format!("Host                      {}\n", parts.join(":")));
    let cpu = &inputs[0].cpus[0];
    let register = |leaf, subleaf, register| {
        let key = crate::cpuid::answers::Key::new(leaf, subleaf);
        cpu.registers.get(&(key, register)).copied()
    };
    assert_eq!(register(1, 0, 3), Some(1));
    assert_eq!(register(0xd, 1, 0), Some(5));
    assert_eq!(register(7, 2, 3), Some(14));
    assert_eq!(register(0x8000_0021, 0, 2), Some(19));
    assert_eq!(cpu.registers.len(), 17);
}

#[test]
fn xens_columns_are_those_of_its_key() {
    let inputs = all("KEY 1c 1d e1d e1c\nHost  fffa3203:1fc9cbf5:2fd3fbff:000001f3\n");
    let first = inputs[0].cpus[0].registers.iter().next();
    let (place, value) = first.expect("a register");
    assert_eq!((place.1, *value), (2, 0xfffa_3203));
}
