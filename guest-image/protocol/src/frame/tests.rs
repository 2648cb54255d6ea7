extern crate std;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::vec::Vec;

use super::*;

#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    phase: Phase,
    generation: u8,
    vcpu: u32,
    sequence: u16,
    payload: Vec<u8>,
}

impl Parts {
    fn frame(&self) -> Frame<'_> {
        Frame {
            kind: self.kind,
            phase: self.phase,
            generation: self.generation,
            vcpu: self.vcpu,
            sequence: self.sequence,
            payload: &self.payload,
        }
    }

    fn sealed(&self) -> Vec<u8> {
        let mut bytes = std::vec![0; HEADER];
        bytes.extend(&self.payload);
        let length = self.frame().seal(&mut bytes, self.payload.len());
        assert_eq!(length, Some(bytes.len()));
        bytes
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let payload = prop_oneof![
        9 => vec(any::<u8>(), 0..200),
        1 => vec(any::<u8>(), MAX_PAYLOAD - 2..=MAX_PAYLOAD),
    ];
    let fields = (
        select(&Kind::ALL[..]),
        select(&Phase::ALL[..]),
        any::<(u8, u32, u16)>(),
        payload,
    );
    fields.prop_map(
        |(kind, phase, (generation, vcpu, sequence), payload)| Parts {
            kind,
            phase,
            generation,
            vcpu,
            sequence,
            payload,
        },
    )
}

proptest! {
    #[test]
    fn a_frame_reads_back_as_sealed(parts in parts(), behind in vec(any::<u8>(), 0..40)) {
        let sealed = parts.sealed();
        let mut bytes = sealed.clone();
        bytes.extend(behind);
        prop_assert_eq!(Frame::read(&bytes), Ok((parts.frame(), sealed.len())));
    }

    /// CRC-32 finds every error burst of up to 32 bits, so no exception is to be expected.
    #[test]
    fn every_corrupted_byte_is_an_error(parts in parts(), at: Index, flip in 1u8..) {
        let mut bytes = parts.sealed();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Frame::read(&bytes).is_err());
    }

    #[test]
    fn every_cut_is_an_error(parts in parts(), at: Index) {
        let bytes = parts.sealed();
        let cut = at.index(bytes.len());
        let wanted = if cut < HEADER { HEADER } else { bytes.len() };
        prop_assert_eq!(Frame::read(&bytes[..cut]), Err(FrameError::Truncated { wanted, left: cut }));
    }

    #[test]
    fn rubbish_is_an_error_and_no_panic(mut rubbish in vec(any::<u8>(), 0..64), magic: bool) {
        if magic && rubbish.len() >= 5 {
            rubbish[..4].copy_from_slice(&MAGIC);
            rubbish[4] = VERSION;
        }
        prop_assert!(Frame::read(&rubbish).is_err());
    }
}

/// All of them, for one frame: what the property tests sample.
#[test]
fn every_flipped_bit_of_a_frame_is_an_error() {
    let parts = Parts {
        kind: Kind::Cpuid,
        phase: Phase::Enabled,
        generation: 1,
        vcpu: 3,
        sequence: 7,
        payload: (0..48).collect(),
    };
    let bytes = parts.sealed();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::read(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn what_does_not_fit_is_not_sealed() {
    let parts = Parts {
        kind: Kind::Cpuid,
        phase: Phase::Reset,
        generation: 0,
        vcpu: 0,
        sequence: 0,
        payload: Vec::new(),
    };
    let mut buffer = std::vec![0; HEADER + MAX_PAYLOAD + 1];
    assert_eq!(parts.frame().seal(&mut buffer, MAX_PAYLOAD + 1), None);
    assert_eq!(parts.frame().seal(&mut buffer[..HEADER + 3], 4), None);
    assert_eq!(
        parts.frame().seal(&mut buffer, MAX_PAYLOAD),
        Some(HEADER + MAX_PAYLOAD)
    );
}

#[test]
fn each_fault_of_a_header_is_told_apart() {
    let parts = Parts {
        kind: Kind::End,
        phase: Phase::Reset,
        generation: 0,
        vcpu: 0,
        sequence: 0,
        payload: Vec::new(),
    };
    // With the checksum made right again, so that it is the field that is refused.
    let damaged = |at: usize, value: u8| {
        let mut bytes = parts.sealed();
        bytes[at] = value;
        let crc = crc32(&[&bytes[..16], &bytes[HEADER..]]);
        bytes[16..20].copy_from_slice(&crc.to_le_bytes());
        Frame::read(&bytes).map(|_| ()).expect_err("an error")
    };
    assert_eq!(damaged(0, 0), FrameError::BadMagic([0, b'C', b'P', b'F']));
    assert_eq!(damaged(4, 9), FrameError::BadVersion(9));
    assert_eq!(damaged(5, 0), FrameError::BadKind(0));
    assert_eq!(damaged(6, 99), FrameError::BadPhase(99));
    assert_eq!(damaged(13, 0xFF), FrameError::TooLong(0xFF00));
}
