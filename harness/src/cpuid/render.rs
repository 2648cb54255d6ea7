//! [`Dump`] → lines.

use fidelity_protocol::frame::Phase;

use super::delta::{Answers, Change, delta};
use super::hypervisor;
use super::hypervisor::Hypervisor;
use super::line::{Line, Register, bits};
use super::table::{Field, Format, Space, Table, mask};
use super::volatile::Volatile;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};

/// Names of CPUID's output registers.
pub(super) const REGISTERS: [&str; 4] = ["eax", "ebx", "ecx", "edx"];

/// Stands where a vCPU has greeted and no phase began.
pub(super) const NO_PHASES: &str = "none";

/// All lines of a dump, sorted as `LC_ALL=C sort` does; values of volatile fields become placeholders.
pub fn render(dump: &Dump, table: &Table, volatile: &Volatile) -> Vec<Line> {
    let boot = dump.boot_processor();
    let signature = boot.and_then(|boot| boot.cpuid(hypervisor::BASE, 0));
    let renderer = Renderer {
        table,
        volatile,
        hypervisor: Hypervisor::from_signature(signature),
    };
    let mut lines = vec![
        agent("mode", dump.mode),
        agent("cpuid", if dump.has_cpuid { "yes" } else { "no" }),
        agent("vcpus", dump.vcpus.len()),
    ];
    if let Some(boot) = dump.boot_processor() {
        lines.extend(renderer.boot_processor(boot));
        for (index, vcpu) in dump.vcpus.iter().enumerate().skip(1) {
            let differing = renderer.further(boot, vcpu).into_iter();
            lines.extend(differing.map(|mut line| {
                line.place.vcpu = index;
                line
            }));
        }
    }
    lines.sort_by_cached_key(ToString::to_string);
    lines
}

fn agent(name: &str, value: impl std::fmt::Display) -> Line {
    let text = format!("{name} = {value}");
    Line::new(Register::Agent, name.to_owned(), String::new(), text)
}

/// `0x00000007.00`.
pub(super) fn address(key: Key) -> String {
    format!("0x{:08x}.{:02x}", key.leaf, key.subleaf)
}

/// The answers that out-of-range leaves are held against: what the guest saw last before it probed.
pub(crate) fn settled(vcpu: &Vcpu) -> Option<&Answers> {
    let phase = |phase| vcpu.phase(phase).filter(|phase| !phase.cpuid.is_empty());
    phase(Phase::Enabled)
        .or_else(|| phase(Phase::Reset))
        .map(|phase| &phase.cpuid)
}

/// The leaves whose data an out-of-range leaf may repeat: the highest basic one (Intel's rule, SDM vol. 2 "CPUID"), or the
/// leaf itself where a subleaf was asked of one that has none.
pub(super) fn alike(answers: &Answers, probe: Key) -> impl Iterator<Item = (Key, Regs)> {
    let last = answers.get(&Key::new(0, 0)).map(|regs| regs[0]);
    let highest = last.map(|last| Key::new(last, probe.subleaf));
    let first = highest.into_iter().chain([Key::new(probe.leaf, 0)]);
    first.filter_map(|key| answers.get(&key).map(|regs| (key, *regs)))
}

struct Renderer<'a> {
    table: &'a Table,
    volatile: &'a Volatile,
    hypervisor: Hypervisor,
}

impl Renderer<'_> {
    fn fields(&self, key: Key, index: u8) -> impl Iterator<Item = &Field> {
        let space = self.hypervisor.space(key.leaf);
        let fields = space.map(|space| self.table.register(space, key.leaf, key.subleaf, index));
        fields.into_iter().flatten()
    }

    fn boot_processor(&self, vcpu: &Vcpu) -> Vec<Line> {
        let mut lines = self.common(vcpu);
        let empty = PhaseDump::default();
        let reset = vcpu.phase(Phase::Reset).unwrap_or(&empty);
        for (key, regs) in &reset.cpuid {
            lines.extend(self.leaf(Register::Cpuid, *key, *regs));
        }
        if let Some(enabled) = vcpu.phase(Phase::Enabled) {
            lines.extend(self.changes(Register::Os, &reset.cpuid, &enabled.cpuid));
        }
        if let Some(probes) = vcpu.phase(Phase::Probes) {
            let answers = settled(vcpu).unwrap_or(&empty.cpuid);
            let probe = |(key, regs): (&Key, &Regs)| probe(answers, *key, *regs);
            lines.extend(probes.cpuid.iter().map(probe));
        }
        for (index, reading) in vcpu.phase(Phase::Msrs).unwrap_or(&empty).msrs.iter() {
            lines.extend(self.msr(*index, *reading));
        }
        for run in &vcpu.phase(Phase::Sweep).unwrap_or(&empty).sweep {
            let span = format!("0x{:08x}..0x{:08x}", run.first, run.last);
            lines.push(Line::new(
                Register::Sweep,
                span,
                String::new(),
                outcome(run.reading),
            ));
        }
        lines
    }

    fn further(&self, boot: &Vcpu, vcpu: &Vcpu) -> Vec<Line> {
        let mut lines = self.common(vcpu);
        let empty = PhaseDump::default();
        let of = |vcpu: &Vcpu, phase| vcpu.phase(phase).unwrap_or(&empty).clone();
        for (register, phase) in [
            (Register::Cpuid, Phase::Reset),
            (Register::Os, Phase::Enabled),
        ] {
            let (base, other) = (of(boot, phase), of(vcpu, phase));
            lines.extend(self.changes(register, &base.cpuid, &other.cpuid));
        }
        let (base, other) = (of(boot, Phase::Msrs).msrs, of(vcpu, Phase::Msrs).msrs);
        for (index, reading) in &other {
            if base.get(index) != Some(reading) {
                lines.extend(self.msr(*index, *reading));
            }
        }
        for index in base.keys().filter(|index| !other.contains_key(index)) {
            lines.push(msr_line(*index, String::new(), "absent"));
        }
        lines
    }

    /// What every vCPU tells in full: its id, its phases, its control state.
    fn common(&self, vcpu: &Vcpu) -> Vec<Line> {
        // Behaviour has lines and expectations of its own.
        let compared = |(phase, _): &(&Phase, &PhaseDump)| **phase != Phase::Behaviour;
        let phases: Vec<_> = vcpu
            .phases
            .iter()
            .filter(compared)
            .map(phase_name)
            .collect();
        let phases = if phases.is_empty() {
            NO_PHASES.to_owned()
        } else {
            phases.join(",")
        };
        let mut lines = vec![agent("apic-id", vcpu.apic_id), agent("phases", phases)];
        for (phase, content) in &vcpu.phases {
            for (control, reading) in &content.control {
                let place = format!("{}.{}", phase.name(), control.name());
                let text = match reading {
                    Reading::Value(value) => format!("{} = {value:#x}", control.name()),
                    Reading::Fault(vector) => format!("{} = {}", control.name(), fault(*vector)),
                };
                lines.push(Line::new(Register::State, place, String::new(), text));
            }
        }
        lines
    }

    fn changes(&self, register: Register, base: &Answers, other: &Answers) -> Vec<Line> {
        let lines = |(key, change): (Key, Change)| match change {
            Change::New(regs) => self.leaf(register, key, regs),
            Change::Absent => vec![Line::new(register, address(key), String::new(), "absent")],
            Change::Register(index, 0) => {
                let bits = bits(REGISTERS[usize::from(index)], 31, 0);
                vec![Line::new(register, address(key), bits, "zero")]
            }
            Change::Register(index, value) => self.register(register, key, index, value),
        };
        delta(base, other).into_iter().flat_map(lines).collect()
    }

    fn leaf(&self, register: Register, key: Key, regs: Regs) -> Vec<Line> {
        if regs == [0; 4] {
            return vec![Line::new(register, address(key), String::new(), "zero")];
        }
        let each = (0u8..).zip(regs);
        let printed = each.filter(|(index, value)| *value != 0 || self.masked(key, *index));
        printed
            .flat_map(|(index, value)| self.register(register, key, index, value))
            .collect()
    }

    /// Whether a placeholder stands in this register: then 0 must not look different from any other value.
    fn masked(&self, key: Key, index: u8) -> bool {
        let mut fields = self.fields(key, index);
        fields.any(|field| self.volatile.placeholder(&field.name).is_some())
    }

    /// The lines of a register that is not 0, or whose value is masked.
    fn register(&self, register: Register, key: Key, index: u8, value: u32) -> Vec<Line> {
        let fields = self.fields(key, index);
        let parts = self.parts(fields, u64::from(value), 31);
        let name = REGISTERS[usize::from(index)];
        let line =
            |(high, low, text)| Line::new(register, address(key), bits(name, high, low), text);
        parts.into_iter().map(line).collect()
    }

    fn msr(&self, index: u32, reading: Reading) -> Vec<Line> {
        match reading {
            Reading::Fault(vector) => vec![msr_line(index, String::new(), &fault(vector))],
            Reading::Value(0) => vec![msr_line(index, String::new(), "zero")],
            Reading::Value(value) => {
                let fields = self.table.register(Space::Msr, index, 0, 0);
                let parts = self.parts(fields, value, 63).into_iter();
                parts
                    .map(|(high, low, text)| msr_line(index, bits("", high, low), &text))
                    .collect()
            }
        }
    }

    /// A value that is not 0, split into its fields and its unnamed bits: (high, low, text).
    fn parts<'t>(
        &self,
        fields: impl Iterator<Item = &'t Field>,
        value: u64,
        top: u8,
    ) -> Vec<(u8, u8, String)> {
        let mut parts = Vec::new();
        let mut left = value;
        let mut known = false;
        for field in fields {
            known = true;
            left &= !field.mask();
            let part = (value & field.mask()) >> field.low;
            if field.format != Format::Flag || part != 0 {
                parts.push((field.high, field.low, self.text(field, part)));
            }
        }
        if !known {
            return vec![(top, 0, format!("reserved = {value:#x}"))];
        }
        let unnamed = (0..=top).filter(|bit| left & mask(*bit, *bit) != 0);
        parts.extend(unnamed.map(|bit| (bit, bit, "reserved".to_owned())));
        parts
    }

    fn text(&self, field: &Field, value: u64) -> String {
        let name = &field.name;
        if let Some(placeholder) = self.volatile.placeholder(name) {
            return format!("{name} = {placeholder}");
        }
        match field.format {
            Format::Flag => name.clone(),
            Format::Dec => format!("{name} = {value}"),
            Format::Hex => format!("{name} = {value:#x}"),
            Format::Text => {
                let bytes = u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
                format!("{name} = \"{}\"", bytes.escape_ascii())
            }
        }
    }
}

fn phase_name((phase, content): (&Phase, &PhaseDump)) -> String {
    let mark = if content.complete { "" } else { "?" };
    format!("{}{mark}", phase.name())
}

fn probe(answers: &Answers, key: Key, regs: Regs) -> Line {
    let like = alike(answers, key).find(|(_, other)| *other == regs && regs != [0; 4]);
    let text = match like {
        _ if regs == [0; 4] => "zero".to_owned(),
        Some((other, _)) => format!("like = {}", address(other)),
        None => {
            let [eax, ebx, ecx, edx] = regs;
            format!("value = {eax:08x} {ebx:08x} {ecx:08x} {edx:08x}")
        }
    };
    Line::new(Register::Probe, address(key), String::new(), text)
}

fn msr_line(index: u32, bits: String, text: &str) -> Line {
    Line::new(Register::Msr, format!("0x{index:08x}"), bits, text)
}

fn outcome(reading: Reading) -> String {
    match reading {
        Reading::Value(value) => format!("value = {value:#x}"),
        Reading::Fault(vector) => fault(vector),
    }
}

/// `#GP`, `#UD` or `#13`-like for any other vector.
pub(super) fn fault(vector: u8) -> String {
    match vector {
        6 => "#UD".to_owned(),
        13 => "#GP".to_owned(),
        other => format!("#{other}"),
    }
}
