use super::*;
use crate::check::fixture::{answer, dump, sentences, table, vcpu, vendor};
use crate::check::user_space_and_agent;
use crate::cpuid::dump::Dump;
use crate::evidence::linux_report::LinuxReport;
use crate::host::cpuinfo::parse;

fn rules() -> LinuxRules {
    let text = include_str!("../../../expectations/linux.tsv");
    let table = table();
    LinuxRules::parse("linux.tsv", text, |name| table.named(name).is_some()).expect("the rules")
}

fn numbers(names: &[(u16, &str)]) -> crate::vmm::linux::names::Numbers {
    names
        .iter()
        .map(|(number, name)| (*number, (*name).to_owned()))
        .collect()
}

/// Names as kernels number them: 150 is bit 22 of CPUID.01H:ECX, 293 bit 5 of CPUID.07H:EBX.
fn names() -> Names {
    Names {
        flags: numbers(&[
            (26, "sse2"),
            (104, "constant_tsc"),
            (121, "cpuid"),
            (147, "sse4_1"),
            (156, "avx"),
            (154, "xsave"),
            (150, "movbe"),
            (293, "avx2"),
            (126, "brand_new"),
        ]),
        bugs: numbers(&[
            (14, "cpu_meltdown"),
            (15, "spectre_v1"),
            (60, "no_rule_yet"),
        ]),
        vmx: numbers(&[(5, "vnmi")]),
    }
}

/// A Skylake under TCG with SSE2, MOVBE, AVX2, XSAVE and AVX.
fn guest_dump() -> Dump {
    let mut boot = vcpu(0, &[]);
    answer(
        &mut boot,
        Phase::Enabled,
        &[
            vendor(0xD, "GenuineIntel"),
            (1, 0, [0x0005_0654, 0, 1 << 22 | 1 << 26 | 1 << 28, 1 << 26]),
            (7, 0, [0, 1 << 5, 0, 0]),
        ],
    );
    // IA32_ARCH_CAPABILITIES, which says that nothing is mended.
    let msrs = &mut boot.phases.entry(Phase::Msrs).or_default().msrs;
    msrs.insert(0x10A, Reading::Value(0));
    dump(vec![boot])
}

fn findings(cpuinfo: &str, line: &str) -> Vec<String> {
    let report = LinuxReport {
        release: "6.12.1".to_owned(),
        command_line: line.split_whitespace().map(str::to_owned).collect(),
        cpuinfo: parse(cpuinfo),
        ..LinuxReport::default()
    };
    let (dump, table, rules, names) = (guest_dump(), table(), rules(), names());
    sentences(&linux(Guest {
        report: &report,
        dump: &dump,
        names: &names,
        table: &table,
        rules: &rules,
    }))
}

const WHOLE: &str =
    "flags : sse2 movbe cpuid constant_tsc xsave avx avx2\nbugs : cpu_meltdown spectre_v1\n";

#[test]
fn what_follows_from_cpuid_is_no_finding() {
    assert!(findings(WHOLE, "").is_empty(), "{:?}", findings(WHOLE, ""));
}

#[test]
fn a_flag_that_is_left_out_is_told() {
    assert_eq!(
        findings(&WHOLE.replace("movbe ", ""), ""),
        [
            "linux: lost movbe /proc/cpuinfo flags: CPUID.01H.00H:ECX[22] is set; not shown, and no rule says why"
        ]
    );
}

#[test]
fn a_flag_that_the_command_line_takes_is_explained_by_name_and_by_number() {
    let without = WHOLE.replace(" avx2", "");
    assert_eq!(findings(&without, "").len(), 1);
    for word in ["clearcpuid=avx2", "clearcpuid=514,293"] {
        assert!(findings(&without, word).is_empty(), "{word}");
    }
}

#[test]
fn a_flag_whose_dependency_is_gone_is_explained() {
    let without = WHOLE
        .replace(" avx2", "")
        .replace(" avx", "")
        .replace(" xsave", "");
    assert!(findings(&without, "clearcpuid=xsave").is_empty());
}

#[test]
fn a_flag_without_a_bit_behind_it_is_told() {
    assert_eq!(
        findings(&WHOLE.replace("sse2", "sse2 sse4_1"), ""),
        [
            "linux: gained sse4_1 /proc/cpuinfo flags: CPUID.01H.00H:ECX[19] is clear; shown, and no rule says why"
        ]
    );
}

#[test]
fn a_synthetic_flag_is_held_by_its_rule() {
    assert_eq!(
        findings(
            &WHOLE
                .replace("constant_tsc ", "")
                .replace("cpuid", "cpuid brand_new"),
            ""
        ),
        [
            "linux: lost constant_tsc /proc/cpuinfo flags: early_init_intel: by model up to Ivy Bridge since 6.15, by family before; \
             early_init_amd: invtsc; not shown",
            "linux: gained brand_new /proc/cpuinfo flags: a rule in linux.tsv; shown, and there is none",
        ]
    );
}

#[test]
fn bugs_are_held_by_their_rules() {
    assert_eq!(
        findings(&WHOLE.replace("cpu_meltdown", "no_rule_yet"), ""),
        [
            "linux: lost cpu_meltdown /proc/cpuinfo bugs: cpu_set_bug_bits, NO_MELTDOWN; not shown",
            "linux: gained no_rule_yet /proc/cpuinfo bugs: a rule in linux.tsv; shown, and there is none",
        ]
    );
}

#[test]
fn vmx_flags_of_a_processor_without_vmx_are_told() {
    assert_eq!(
        findings(&format!("{WHOLE}vmx flags : vnmi\n"), ""),
        ["linux: gained vnmi /proc/cpuinfo vmx flags: its bit is clear in the VMX MSRs; shown"]
    );
}

#[test]
fn a_word_that_the_kernel_has_not_got_is_told() {
    assert_eq!(
        findings(&WHOLE.replace("sse2", "sse2 made_up"), ""),
        ["linux: gained made_up /proc/cpuinfo flags: a name of the kernel's own table; shown"]
    );
}

#[test]
fn user_space_sees_what_the_agent_saw_but_for_what_a_system_changes() {
    let agent = guest_dump();
    let user_sees = |leaf, regs| {
        let mut user = guest_dump();
        let boot = user.vcpus.first_mut().expect("a processor");
        answer(boot, Phase::Enabled, &[(leaf, 0, regs)]);
        sentences(&user_space_and_agent(&user, &agent, &table()))
    };
    // OSXSAVE and OSPKE.
    assert!(
        user_sees(
            1,
            [
                0x0005_0654,
                0,
                1 << 22 | 1 << 26 | 1 << 27 | 1 << 28,
                1 << 26
            ]
        )
        .is_empty()
    );
    assert!(user_sees(7, [0, 1 << 5, 1 << 4, 0]).is_empty());
    let transactional = [0, 1 << 4 | 1 << 5 | 1 << 11, 0, 0];
    assert!(user_sees(7, transactional).is_empty());
    assert_eq!(
        user_sees(7, [0, 0, 0, 1 << 4]),
        [
            "linux-cpuid: lost avx2 CPUID.07H.00H:EBX[5]: set, as the agent saw it; clear in user space",
            "linux-cpuid: gained fsrm CPUID.07H.00H:EDX[4]: clear, as the agent saw it; set in user space",
        ]
    );
}

#[test]
fn a_name_that_no_table_has_is_told() {
    assert_eq!(
        unknown_names(&names(), &table(), &rules()),
        [
            "flags brand_new: no rule in linux.tsv",
            "bugs no_rule_yet: no rule in linux.tsv"
        ]
    );
    let moved = Names {
        flags: numbers(&[(292, "avx2")]),
        ..Names::default()
    };
    assert_eq!(
        unknown_names(&moved, &table(), &rules()),
        ["flags avx2: no alias of CPUID.07H.00H:EBX[4] in features.tsv"]
    );
}
