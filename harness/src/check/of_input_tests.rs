//! Faults of public dumps, each named; and excerpts of what is right, which give no finding.

use super::*;
use crate::check::fixture::{sentences, table};
use crate::input::read;

fn found(coverage: Coverage, text: &str) -> Option<Vec<String>> {
    let table = table();
    let mut inputs = read(text.as_bytes(), &table).expect("an input");
    inputs[0].coverage = coverage;
    of_input(&inputs[0], Owner::Unknown, &table).map(|findings| sentences(&findings))
}

/// A guest whose leaf 1 is of one vendor's processor and 80000001H of another's, as a VMM made it.
const TWO_VENDORS: &str = "\
   0x00000000 0x00: eax=0x00000010 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
   0x00000001 0x00: eax=0x000306f2 ebx=0x00020800 ecx=0xfffa3203 edx=0x178bfbff
   0x00000007 0x00: eax=0x00000000 ebx=0x001007ab ecx=0x00000000 edx=0x8c000000
   0x0000000d 0x00: eax=0x00000007 ebx=0x00000340 ecx=0x00000988 edx=0x00000000
   0x0000000d 0x01: eax=0x00000001 ebx=0x00000348 ecx=0x00000000 edx=0x00000000
   0x0000000d 0x02: eax=0x00000100 ebx=0x00000240 ecx=0x00000000 edx=0x00000000
   0x80000000 0x00: eax=0x8000001f ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65
   0x80000001 0x00: eax=0x00a00f11 ebx=0x40000000 ecx=0x00c00237 edx=0x2813fbff
";

#[test]
fn a_table_of_two_vendors_is_found() {
    let found = found(Coverage::Excerpt, TWO_VENDORS).expect("registers");
    for expected in [
        "signature: changed ext-signature CPUID.80000001H.00H:EAX[31:0]: 0x306f2, the signature of CPUID.01H; 0xa00f11",
        "signature: changed signature CPUID.01H.00H:EAX[31:0]: a family of AuthenticAMD's: family 6 has no extended model there, \
         as Intel's has; family 6, model 63",
        "xsave: changed xsave-size-max CPUID.0DH.00H:ECX[31:0]: xsave-size-max = 832; xsave-size-max = 2440",
        "xsave: changed size without xsavec and xsaves CPUID.0DH.01H:EBX[31:0]: xsaves-size-enabled = 0; xsaves-size-enabled = 840",
    ] {
        assert!(
            found.contains(&expected.to_owned()),
            "{expected}: {found:#?}"
        );
    }
}

#[test]
fn amx_without_its_tiles_is_found() {
    let text = "\
   0x00000000 0x00: eax=0x00000020 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000007 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x01000000
   0x0000001d 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
";
    let found = found(Coverage::Excerpt, text).expect("registers");
    assert_eq!(
        found,
        [
            "leaves: lost amx-max-palette CPUID.1DH.00H:EAX[31:0]: amx-max-palette, for amx-tile is there; amx-max-palette = 0"
        ]
    );
}

#[test]
fn a_processor_that_leaf_1fh_names_otherwise_is_found() {
    let text = "\
   0x00000000 0x00: eax=0x0000001f ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x000806f8 ebx=0x05040800 ecx=0x00000000 edx=0x10000000
   0x0000000b 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000005
   0x0000000b 0x01: eax=0x00000003 ebx=0x00000008 ecx=0x00000201 edx=0x00000005
   0x0000000b 0x02: eax=0x00000000 ebx=0x00000000 ecx=0x00000002 edx=0x00000005
   0x0000001f 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000000
";
    let found = found(Coverage::Excerpt, text).expect("registers");
    assert!(
        found.contains(
            &"vcpus: changed x2apic-id CPUID.0BH.00H:EDX[31:0]: x2apic-id = 0; x2apic-id = 5"
                .to_owned()
        ),
        "{found:#?}"
    );
}

#[test]
fn an_excerpt_of_what_is_right_gives_no_finding() {
    let lines = [
        "0x00000000 0x00: eax=0x00000016 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69",
        "0x00000001 0x00: eax=0x000806ea ebx=0x00100800 ecx=0x7ffafbbf edx=0xbfebfbff",
        "0x00000007 0x00: eax=0x00000000 ebx=0x029c67af ecx=0x00000000 edx=0x9c000000",
        "0x0000000b 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000000",
        "0x0000000b 0x01: eax=0x00000004 ebx=0x00000008 ecx=0x00000201 edx=0x00000000",
        "0x0000000d 0x00: eax=0x0000001f ebx=0x00000440 ecx=0x00000440 edx=0x00000000",
        "0x80000001 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000121 edx=0x2c100800",
        "0x80000008 0x00: eax=0x00003027 ebx=0x00000000 ecx=0x00000000 edx=0x00000000",
    ];
    // Every part of it that somebody may paste.
    for kept in 1..1u32 << lines.len() {
        let part: Vec<&str> = (0..lines.len())
            .filter(|line| kept >> line & 1 == 1)
            .map(|line| lines[line])
            .collect();
        let found = found(Coverage::Excerpt, &part.join("\n")).expect("registers");
        assert!(found.is_empty(), "{part:#?}: {found:#?}");
    }
}

#[test]
fn names_without_registers_are_not_compared() {
    let table = table();
    let input = Input {
        coverage: Coverage::Names,
        cpus: vec![crate::input::Cpu::default()],
        dump: None,
        ..Input::of_dump(crate::input::Format::Etallen, Dump::default())
    };
    assert_eq!(of_input(&input, Owner::Unknown, &table), None);
}

/// Rows of dumps of hardware that a rule once took for contradictions.
fn hardware(text: &str) -> Vec<String> {
    found(Coverage::Excerpt, text).expect("registers")
}

#[test]
fn a_package_of_two_dies_ends_in_leaf_1fh() {
    // Xeon Platinum 9242.
    let text = "\
   0x00000000 0x00: eax=0x0000001f ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000001 0x00: eax=0x00050657 ebx=0x00800800 ecx=0x7ffefbff edx=0xbfebfbff
   0x00000004 0x00: eax=0x7c004121 ebx=0x01c0003f ecx=0x0000003f edx=0x00000000
   0x0000000b 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000000
   0x0000000b 0x01: eax=0x00000006 ebx=0x00000030 ecx=0x00000201 edx=0x00000000
   0x0000000b 0x02: eax=0x00000000 ebx=0x00000000 ecx=0x00000002 edx=0x00000000
   0x0000001f 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000000
   0x0000001f 0x01: eax=0x00000006 ebx=0x00000030 ecx=0x00000201 edx=0x00000000
   0x0000001f 0x02: eax=0x00000007 ebx=0x00000060 ecx=0x00000502 edx=0x00000000
   0x0000001f 0x03: eax=0x00000000 ebx=0x00000000 ecx=0x00000003 edx=0x00000000
";
    assert_eq!(hardware(text), Vec::<String>::new());
    let package = text.replace("ebx=0x00000060", "ebx=0x00000020");
    let found = hardware(&package);
    assert!(
        found.contains(
            &"topology: changed topo-logical-cpus-v2 CPUID.1FH.02H:EBX[15:0]: topo-logical-cpus-v2 above 48, \
              the level before; topo-logical-cpus-v2 = 32"
                .to_owned()
        ),
        "{found:#?}"
    );
}

#[test]
fn caches_of_a_core_without_threads_are_its_own_whatever_its_ids_leave_room_for() {
    // Celeron J1900.
    let text = "\
   0x00000000 0x00: eax=0x0000000b ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
   0x00000004 0x00: eax=0x1c000121 ebx=0x0140003f ecx=0x0000003f edx=0x00000001
   0x0000000b 0x00: eax=0x00000001 ebx=0x00000001 ecx=0x00000100 edx=0x00000000
   0x0000000b 0x01: eax=0x00000004 ebx=0x00000004 ecx=0x00000201 edx=0x00000000
";
    assert_eq!(hardware(text), Vec::<String>::new());
    let shared = text.replace(
        "ebx=0x00000001 ecx=0x00000100",
        "ebx=0x00000002 ecx=0x00000100",
    );
    assert_eq!(
        hardware(&shared),
        [
            "topology: changed cache-sharing-ids CPUID.04H.00H:EAX[25:14]: cache-sharing-ids between 1 and 15; cache-sharing-ids = 0"
        ]
    );
}

#[test]
fn what_intel_says_of_l2_in_80000006h_is_its_own_way() {
    let vendor =
        "   0x00000000 0x00: eax=0x00000004 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69\n";
    let l2 = |leaf_4: &str, ecx: &str| {
        let list = format!("   0x00000004 0x00: eax=0x00000143 {leaf_4} edx=0x00000000\n");
        hardware(&format!(
            "{vendor}{list}   0x80000006 0x00: eax=0x00000000 ebx=0x00000000 ecx={ecx} edx=0x00000000\n"
        ))
    };
    // Skylake-SP: 1 MB of 16 ways, and 256 KB of 8 ways as ever; Core 2: 6 MB of 24 ways, with the code of 16.
    let nothing = Vec::<String>::new();
    assert_eq!(l2("ebx=0x03c0003f ecx=0x000003ff", "0x01006040"), nothing);
    assert_eq!(l2("ebx=0x05c0003f ecx=0x00000fff", "0x18008040"), nothing);
    assert_eq!(
        l2("ebx=0x05c0003f ecx=0x00000fff", "0x18006040"),
        [
            "geometry: changed l2-assoc CPUID.80000006H.00H:ECX[15:12]: 24 ways, as CPUID.04H.00H has it; 8 ways"
        ]
    );
}

#[test]
fn amds_80000006h_has_the_l3_caches_of_a_package_together() {
    let l3 = |edx: &str| {
        hardware(&format!(
            "   0x00000000 0x00: eax=0x00000010 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65\n   \
             0x80000000 0x00: eax=0x80000020 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65\n   \
             0x80000006 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx={edx}\n   \
             0x8000001d 0x00: eax=0x00014163 ebx=0x03c0003f ecx=0x00003fff edx=0x00000001\n"
        ))
    };
    // Ryzen 9 3900X: 16 MB for each of four groups of cores.
    assert_eq!(l3("0x02009140"), Vec::<String>::new());
    assert_eq!(
        l3("0x008c9140"),
        [
            "geometry: changed l3-size-512kb CPUID.80000006H.00H:EDX[31:18]: l3-size-512kb = 32, as CPUID.8000001DH.00H has it; l3-size-512kb = 35"
        ]
    );
}
