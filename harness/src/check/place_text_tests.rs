use proptest::prelude::*;

use super::*;
use crate::cpuid::line::Line;

fn of_line(line: &str) -> String {
    Place::from(&Line::read(line).expect("a line").place).to_string()
}

#[test]
fn places_of_lines_print_as_manuals_write_them() {
    for (line, printed) in [
        (
            "cpuid 0x00000007.00 ebx[ 5]     avx2",
            "CPUID.07H.00H:EBX[5]",
        ),
        (
            "cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 46",
            "CPUID.80000008H.00H:EAX[7:0]",
        ),
        ("cpuid 0x00000003.00             zero", "CPUID.03H.00H"),
        ("msr   0x0000010a        [ 0]    rdctl-no", "MSR.10AH[0]"),
        (
            "msr   0x00000480        [63:32] reserved = 0x1",
            "MSR.480H[63:32]",
        ),
        ("msr   0x00000570                #GP", "MSR.570H"),
        (
            "vcpu   3: os    0x00000001.00 ecx[27]     osxsave",
            "vcpu3 OS:CPUID.01H.00H:ECX[27]",
        ),
        (
            "emul  0x00000007.00 ecx[22]     rdpid",
            "EMULATED:CPUID.07H.00H:ECX[22]",
        ),
        (
            "kvm   xsave2                    xsave2 = 4096",
            "kvm.xsave2",
        ),
        (
            "flags                           avx2",
            "/proc/cpuinfo flags",
        ),
        (
            "vmx                             ept",
            "/proc/cpuinfo vmx flags",
        ),
    ] {
        assert_eq!(of_line(line), printed);
        assert_eq!(
            printed.parse::<Place>().map(|place| place.to_string()),
            Ok(printed.to_owned())
        );
    }
}

#[test]
fn a_text_that_is_no_place_is_refused_and_kept_where_it_is_read_from_a_file() {
    for text in [
        "CPUID",
        "CPUID.7H.00H",
        "CPUID.07H.00H:EFX[5]",
        "MSR.10A",
        "vcpu",
        "vcpu0",
        "elsewhere",
    ] {
        assert_eq!(text.parse::<Place>(), Err(UnknownPlace(text.to_owned())));
        let json = format!("\"{text}\"");
        let kept: Place = serde_json::from_str(&json).expect("a string");
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), json);
    }
}

fn ranges(top: u8) -> impl Strategy<Value = BitRange> {
    (0..=top)
        .prop_flat_map(move |low| (low..=top, Just(low)))
        .prop_map(|(high, low)| BitRange { high, low })
}

fn locations() -> impl Strategy<Value = Location> {
    let states = prop::sample::select(CpuidState::ALL.map(|(state, _)| state).to_vec());
    let registers = prop::sample::select(Register::ALL.to_vec());
    let bits = prop::option::of((registers, ranges(31)));
    let cpuid = (states, any::<(u32, u32)>(), bits).prop_map(|(state, (leaf, subleaf), bits)| {
        let key = Key::new(leaf, subleaf);
        Location::Cpuid { state, key, bits }
    });
    let msr = (any::<u32>(), prop::option::of(ranges(63)))
        .prop_map(|(index, bits)| Location::Msr { index, bits });
    let cpuinfo = prop::option::of("[a-z][a-z ]{0,9}").prop_map(Location::Cpuinfo);
    let sections = prop::sample::select(vec![line::Register::State, line::Register::Sweep]);
    let section = (sections, "[a-z0-9./-]{0,12}")
        .prop_map(|(section, address)| Location::Section { section, address });
    prop_oneof![Just(Location::Whole), cpuid, msr, cpuinfo, section]
}

fn sides() -> impl Strategy<Value = Side> {
    prop_oneof![
        (0..300_usize).prop_map(Side::Vcpu),
        (0..300_usize).prop_map(Side::HostCpu),
        Just(Side::KvmSupported),
        Just(Side::KvmEmulated),
    ]
}

proptest! {
    #[test]
    fn a_place_reads_back_as_printed(side in sides(), location in locations()) {
        let place = Place { side, location };
        prop_assert_eq!(place.to_string().parse(), Ok(place));
    }
}
