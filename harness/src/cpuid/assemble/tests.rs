use fidelity_protocol::entry::{Cpuid, End, Hello};
use fidelity_protocol::frame::HEADER;
use proptest::prelude::*;

use super::*;

/// A stream as an agent writes it.
struct Stream {
    bytes: Vec<u8>,
    sequence: u16,
    vcpu: u32,
}

impl Stream {
    fn new(vcpu: u32) -> Stream {
        Stream {
            bytes: Vec::new(),
            sequence: 0,
            vcpu,
        }
    }

    fn frame(&mut self, kind: Kind, phase: Phase, payload: &[u8]) -> &mut Self {
        let frame = Frame {
            kind,
            phase,
            generation: 0,
            vcpu: self.vcpu,
            sequence: self.sequence,
            payload: &[],
        };
        let mut buffer = vec![0; HEADER + payload.len()];
        buffer[HEADER..].copy_from_slice(payload);
        frame
            .seal(&mut buffer, payload.len())
            .expect("a frame that fits");
        self.bytes.extend(buffer);
        self.sequence += 1;
        self
    }

    fn entry<E: Entry>(&mut self, kind: Kind, phase: Phase, entry: &E) -> &mut Self {
        let mut payload = vec![0; E::SIZE];
        entry.encode(&mut payload);
        self.frame(kind, phase, &payload)
    }

    fn hello(&mut self) -> &mut Self {
        let hello = Hello {
            mode: 64,
            vcpus: 1,
            has_cpuid: 1,
        };
        self.entry(Kind::Hello, Phase::Reset, &hello)
    }

    fn end(&mut self, vcpus: u32) -> &mut Self {
        let end = End {
            frames: u32::from(self.sequence) + 1,
            vcpus,
            flags: 0,
        };
        self.entry(Kind::End, Phase::Reset, &end)
    }
}

fn leaf(leaf: u32) -> Cpuid {
    Cpuid {
        leaf,
        subleaf: 0,
        regs: [leaf, 2, 3, 4],
    }
}

fn whole(vcpu: u32, vcpus: u32) -> Vec<u8> {
    let mut stream = Stream::new(vcpu);
    stream.hello().frame(Kind::PhaseBegin, Phase::Reset, &[]);
    stream.entry(Kind::Cpuid, Phase::Reset, &leaf(0));
    stream.entry(Kind::Cpuid, Phase::Reset, &leaf(1));
    stream.frame(Kind::PhaseEnd, Phase::Reset, &[]).end(vcpus);
    stream.bytes
}

#[test]
fn a_whole_stream_is_a_dump() {
    let assembled = assemble([whole(0, 1).as_slice()]);
    assert_eq!(assembled.error, None);
    assert_eq!(assembled.dump.vcpus[0].cpuid(1, 0), Some([1, 2, 3, 4]));
    assert_eq!(assembled.dump.mode, 64);
}

#[test]
fn no_bytes_are_an_error() {
    assert_eq!(assemble([]).error, Some(StreamError::Empty));
    assert_eq!(assemble([[].as_slice()]).error, Some(StreamError::Empty));
}

#[test]
fn a_missing_vcpu_is_an_error() {
    let error = assemble([whole(0, 2).as_slice()]).error;
    let expected = StreamError::MissingVcpus {
        found: 1,
        counted: 2,
    };
    assert_eq!(error, Some(expected));
}

#[test]
fn frames_of_two_vcpus_on_one_port_are_told_apart() {
    let mut bytes = whole(0, 2);
    bytes.extend(whole(7, 0));
    let assembled = assemble([bytes.as_slice()]);
    assert_eq!(assembled.error, None);
    assert_eq!(assembled.dump.vcpus[1].apic_id, 7);
}

#[test]
fn an_early_end_keeps_what_came_and_names_the_phase() {
    let mut stream = Stream::new(0);
    stream.hello().frame(Kind::PhaseBegin, Phase::Reset, &[]);
    stream.entry(Kind::Cpuid, Phase::Reset, &leaf(5));
    stream.frame(Kind::PhaseEnd, Phase::Reset, &[]);
    stream.frame(Kind::PhaseBegin, Phase::Msrs, &[]);
    let assembled = assemble([stream.bytes.as_slice()]);
    let unfinished = StreamError::Unfinished {
        vcpu: 0,
        phase: "msrs",
    };
    assert_eq!(assembled.error, Some(unfinished));
    let vcpu = &assembled.dump.vcpus[0];
    assert!(vcpu.phases[&Phase::Reset].complete);
    assert_eq!(vcpu.cpuid(5, 0), Some([5, 2, 3, 4]));
    assert!(!vcpu.phases[&Phase::Msrs].complete);
}

#[test]
fn a_repeated_leaf_is_an_error() {
    let mut stream = Stream::new(0);
    stream.hello().frame(Kind::PhaseBegin, Phase::Reset, &[]);
    stream.entry(Kind::Cpuid, Phase::Reset, &leaf(0));
    stream.entry(Kind::Cpuid, Phase::Reset, &leaf(0));
    let error = assemble([stream.bytes.as_slice()]).error.expect("an error");
    assert!(error.to_string().contains("comes twice"), "{error}");
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = whole(0, 1);
    for cut in 0..bytes.len() {
        assert!(assemble([&bytes[..cut]]).error.is_some(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let whole = whole(0, 1);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(assemble([bytes.as_slice()]).error.is_some(), "bit {bit}");
    }
}

#[test]
fn every_repeated_piece_is_an_error() {
    let bytes = whole(0, 1);
    for to in 1..=bytes.len() {
        for from in 0..to {
            let twice = [&bytes[..to], &bytes[from..]].concat();
            assert!(assemble([twice.as_slice()]).error.is_some(), "{from}..{to}");
        }
    }
}

proptest! {

    /// Rubbish behind the end mark is noticed.
    #[test]
    fn an_over_long_stream_is_an_error(rubbish in proptest::collection::vec(any::<u8>(), 1..64)) {
        let bytes = [whole(0, 1), rubbish].concat();
        prop_assert!(assemble([bytes.as_slice()]).error.is_some());
    }

    /// Rubbish alone never passes and never panics.
    #[test]
    fn rubbish_is_an_error(rubbish in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(assemble([rubbish.as_slice()]).error.is_some());
    }
}

#[test]
fn pieces_of_a_text_are_joined_and_one_without_a_name_is_an_error() {
    let mut stream = Stream::new(0);
    stream.hello().frame(Kind::PhaseBegin, Phase::Enabled, &[]);
    for piece in [
        &b"/proc/cpuinfo\0flags : fpu"[..],
        b"/proc/cpuinfo\0 avx2\n",
        b"empty\0",
    ] {
        stream.frame(Kind::Text, Phase::Enabled, piece);
    }
    stream.frame(Kind::PhaseEnd, Phase::Enabled, &[]).end(1);
    let assembled = assemble([stream.bytes.as_slice()]);
    assert_eq!(assembled.error, None);
    let texts = &assembled.dump.vcpus[0].phases[&Phase::Enabled].texts;
    assert_eq!(texts["/proc/cpuinfo"], "flags : fpu avx2\n");
    assert_eq!(texts["empty"], "");

    let mut stream = Stream::new(0);
    stream.hello().frame(Kind::PhaseBegin, Phase::Enabled, &[]);
    stream.frame(Kind::Text, Phase::Enabled, b"no name");
    let error = assemble([stream.bytes.as_slice()]).error.expect("an error");
    assert_eq!(
        error.to_string(),
        "vCPU 0x0, phase os-enabled: a text without a name"
    );
}
