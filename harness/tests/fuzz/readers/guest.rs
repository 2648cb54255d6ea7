//! What guests send: the agent's streams, and files of a Linux guest.

use cpuid_fidelity::cpuid::{Dump, assemble, parse, render};
use cpuid_fidelity::cpuid::{PhaseDump, Reading, Vcpu, Volatile};
use cpuid_fidelity::evidence::LinuxReport;
use cpuid_fidelity::evidence::linux_lines::linux;
use cpuid_fidelity::host::cpuinfo;
use cpuid_fidelity::input::writers;
use fidelity_protocol::entry::{Cpuid, End, Entry, Hello, Register, status};
use fidelity_protocol::frame::{Frame, HEADER, Kind, Phase};
use fidelity_protocol::slot;

use super::seeds::{TABLE, VOLATILE, dumps, lossy};
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "agent-stream",
        shape: Shape::Frames,
        seeds: streams,
        executions: 100,
        read: read_stream,
    },
    Reader {
        name: "dump",
        shape: Shape::Json,
        seeds: dump_texts,
        executions: 60,
        read: read_dump,
    },
    Reader {
        name: "slot-header",
        shape: Shape::Bytes,
        seeds: || vec![header()],
        executions: 2000,
        read: |bytes| slot::Header::read(bytes).is_some(),
    },
    Reader {
        name: "cpuinfo",
        shape: Shape::Text,
        seeds: cpuinfos,
        executions: 200,
        read: |bytes| !cpuinfo::parse(&lossy(bytes)).identity.is_empty(),
    },
];

fn header() -> Vec<u8> {
    [slot::MAGIC, 0, 64, slot::DONE, slot::OP_CPUID, 7, 0, 0]
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// The dumps as agents would have sent them, all vCPUs in one stream.
fn streams() -> Vec<Vec<u8>> {
    dumps().iter().map(encoded).collect()
}

fn dump_texts() -> Vec<Vec<u8>> {
    let text = |dump: &Dump| serde_json::to_vec(dump).expect("JSON");
    dumps().iter().map(text).collect()
}

fn cpuinfos() -> Vec<Vec<u8>> {
    let all = dumps().into_iter().flat_map(|dump| dump.vcpus);
    let phases = all.flat_map(|vcpu| vcpu.phases.into_values());
    let texts = phases.filter_map(|mut phase| phase.texts.remove("/proc/cpuinfo"));
    texts.map(String::into_bytes).collect()
}

fn encoded(dump: &Dump) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let vcpus = if index == 0 { dump.vcpus.len() } else { 0 };
        let mut stream = Stream::new(vcpu);
        let hello = Hello {
            mode: dump.mode,
            vcpus: 0,
            has_cpuid: u32::from(dump.has_cpuid),
        };
        stream.entries(Kind::Hello, Phase::Reset, &[hello]);
        for (phase, seen) in &vcpu.phases {
            stream.phase(*phase, seen);
        }
        let end = End {
            frames: u32::from(stream.sequence) + 1,
            vcpus: u32::try_from(vcpus).expect("a number"),
            flags: 0,
        };
        stream.entries(Kind::End, Phase::Reset, &[end]);
        bytes.extend(stream.bytes);
    }
    bytes
}

struct Stream {
    bytes: Vec<u8>,
    sequence: u16,
    vcpu: u32,
}

impl Stream {
    fn new(vcpu: &Vcpu) -> Stream {
        Stream {
            bytes: Vec::new(),
            sequence: 0,
            vcpu: vcpu.apic_id,
        }
    }

    fn phase(&mut self, phase: Phase, seen: &PhaseDump) {
        self.frame(Kind::PhaseBegin, phase, &[]);
        let cpuid = seen.cpuid.iter().map(|(key, regs)| Cpuid {
            leaf: key.leaf,
            subleaf: key.subleaf,
            regs: *regs,
        });
        self.entries(Kind::Cpuid, phase, &cpuid.collect::<Vec<_>>());
        let msrs = seen
            .msrs
            .iter()
            .map(|(index, reading)| register(*index, *reading));
        self.entries(Kind::Msr, phase, &msrs.collect::<Vec<_>>());
        let control = seen.control.iter();
        let control = control.map(|(control, reading)| register(*control as u32, *reading));
        self.entries(Kind::Control, phase, &control.collect::<Vec<_>>());
        for (name, text) in &seen.texts {
            for piece in text.as_bytes().chunks(2000) {
                self.frame(Kind::Text, phase, &[name.as_bytes(), b"\0", piece].concat());
            }
        }
        if seen.complete {
            self.frame(Kind::PhaseEnd, phase, &[]);
        }
    }

    fn entries<E: Entry>(&mut self, kind: Kind, phase: Phase, entries: &[E]) {
        for some in entries.chunks(64) {
            let mut payload = vec![0; some.len() * E::SIZE];
            for (entry, out) in some.iter().zip(payload.chunks_exact_mut(E::SIZE)) {
                entry.encode(out);
            }
            self.frame(kind, phase, &payload);
        }
    }

    fn frame(&mut self, kind: Kind, phase: Phase, payload: &[u8]) {
        let frame = Frame {
            kind,
            phase,
            generation: 0,
            vcpu: self.vcpu,
            sequence: self.sequence,
            payload: &[],
        };
        let mut buffer = [&[0; HEADER][..], payload].concat();
        frame
            .seal(&mut buffer, payload.len())
            .expect("a frame that fits");
        self.bytes.extend(buffer);
        self.sequence += 1;
    }
}

fn register(id: u32, reading: Reading) -> Register {
    let (status, value) = match reading {
        Reading::Value(value) => (status::VALUE, value),
        Reading::Fault(vector) => (status::fault(vector), 0),
    };
    Register { id, status, value }
}

fn read_stream(bytes: &[u8]) -> bool {
    let assembled = assemble([bytes]);
    let error = assembled.error.map(|error| error.to_string());
    look_at(&assembled.dump);
    error.is_none() || !assembled.dump.vcpus.is_empty()
}

fn read_dump(bytes: &[u8]) -> bool {
    let Ok(dump) = serde_json::from_slice::<Dump>(bytes) else {
        return false;
    };
    let again = serde_json::to_vec(&dump).expect("JSON");
    assert_eq!(
        serde_json::from_slice::<Dump>(&again).ok().as_ref(),
        Some(&dump),
        "written and read"
    );
    look_at(&dump);
    true
}

/// Everything that is made of a dump.
fn look_at(dump: &Dump) {
    let lines = render(dump, &TABLE, &Volatile::default());
    let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    if let Ok(read) = parse(&text) {
        let again = render(&read, &TABLE, &Volatile::default());
        assert_eq!(again, lines, "what is read from lines has the same lines");
    }
    let _ = render(dump, &TABLE, &VOLATILE);
    let _ = writers::raw(dump);
    let _ = writers::instlatx64(dump);
    let _ = writers::kcpuid(dump);
    let _ = cpuid_fidelity::check::of_dump(dump, &TABLE);
    let report = LinuxReport::from_dump(dump);
    let _ = report.map(|report| linux(&report, &VOLATILE));
}
