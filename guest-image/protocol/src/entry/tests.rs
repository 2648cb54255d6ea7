use proptest::prelude::*;

use super::*;

fn round_trip<E: Entry + PartialEq + core::fmt::Debug>(entry: &E) {
    let mut bytes = [0xAA; 64];
    entry.encode(&mut bytes);
    assert_eq!(E::decode(&bytes[..E::SIZE]).as_ref(), Some(entry));
    assert!(
        bytes[E::SIZE..].iter().all(|byte| *byte == 0xAA),
        "wrote past its end"
    );
    assert_eq!(E::decode(&bytes[..E::SIZE - 1]), None);
    assert_eq!(E::decode(&bytes[..E::SIZE + 1]), None);
}

proptest! {
    #[test]
    fn entries_read_back_as_written(words in any::<[u32; 6]>(), value: u64, more: u64) {
        let [a, b, c, d, e, f] = words;
        round_trip(&Cpuid { leaf: a, subleaf: b, regs: [c, d, e, f] });
        round_trip(&Register { id: a, status: b, value });
        round_trip(&Run { first: a, last: b, status: c, value });
        round_trip(&Fault { vector: a, error: b, ip: value, address: more });
        round_trip(&Hello { mode: a, vcpus: b, has_cpuid: c });
        round_trip(&End { frames: a, vcpus: b, flags: c });
    }

    #[test]
    fn a_status_is_a_value_or_a_vector_or_unknown(vector: u8, other: u32) {
        prop_assert_eq!(status::vector(status::fault(vector)), Some(vector));
        prop_assert_eq!(status::vector(status::VALUE), None);
        if status::vector(other).is_some() {
            prop_assert!((0x100..0x200).contains(&other));
        }
    }
}

#[test]
fn control_registers_have_numbers_and_names_of_their_own() {
    for control in Control::ALL {
        assert_eq!(Control::from_id(control as u32), Some(control));
        let same_name = Control::ALL
            .iter()
            .filter(|other| other.name() == control.name());
        assert_eq!(same_name.count(), 1, "{}", control.name());
    }
}
