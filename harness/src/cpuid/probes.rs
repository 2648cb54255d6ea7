//! The table of probes: what the agent tries, what announces it, and what it does where it is there and where it is not.

use std::sync::LazyLock;

use fidelity_protocol::config::PROBE_WORDS;

/// The table, as the agent was built from it.
const TEXT: &str = include_str!("../../../guest-image/protocol/probes.tsv");

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name.
    pub name: &'static str,
    /// The features that announce it, each of them alone; none where every processor has it.
    pub features: Vec<&'static str>,
    /// What must be announced too before it can be used.
    pub needs: Vec<&'static str>,
    /// `64`, `32` or `both`: the agents that try it; `user`: /init of Linux guests alone.
    pub mode: &'static str,
    /// `run`, `cr4`, `xcr0`, `msr`, `wrmsr`, `page`, `size`, `off`, `on`.
    pub kind: &'static str,
    /// Bytes, bit, mask, or MSR and mask.
    pub what: &'static str,
    /// What it does where it is announced.
    pub answer: Vec<&'static str>,
    /// What it does where it is not.
    pub refusal: Vec<&'static str>,
    /// `safe`, `all`, `nop` or `kvm`.
    pub class: &'static str,
    /// The instruction, as an assembler writes it.
    pub assembly: &'static str,
    /// Manual, volume and section.
    pub source: &'static str,
}

/// All rows, in the order in which they are tried.
pub static PROBES: LazyLock<Vec<Probe>> = LazyLock::new(|| {
    let rows = TEXT.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(row).collect()
});

fn row(line: &'static str) -> Option<Probe> {
    let columns: Vec<&str> = line.split('\t').collect();
    let &[
        name,
        features,
        needs,
        mode,
        kind,
        what,
        _,
        answer,
        refusal,
        class,
        assembly,
        source,
    ] = columns.as_slice()
    else {
        return None;
    };
    Some(Probe {
        name,
        features: list(features, '|'),
        needs: list(needs, ','),
        mode,
        kind,
        what,
        answer: list(answer, ','),
        refusal: list(refusal, ','),
        class,
        assembly,
        source,
    })
}

fn list(text: &'static str, separator: char) -> Vec<&'static str> {
    let parts = text.split(separator);
    parts.filter(|part| *part != "-").collect()
}

/// Instructions that KVM's emulator knows, measured on a KVM that emulates all of ring 0 (kvm_pvm).
const EMULATED: [&str; 26] = [
    "clflush",
    "clflushopt",
    "cmov",
    "cmpxchg8b",
    "fninit",
    "fxsave",
    "lahf",
    "lfence",
    "lzcnt",
    "mfence",
    "movbe",
    "movnti",
    "prefetchw",
    "rdfsbase",
    "rdmsr",
    "rdmsr-arch-capabilities",
    "rdmsr-core-capability",
    "rdpid",
    "rdpmc",
    "rdtsc",
    "serialize",
    "sfence",
    "tpause",
    "tzcnt",
    "ud2",
    "xsusldtrk",
];

/// The row of this name.
pub fn named(name: &str) -> Option<&'static Probe> {
    PROBES.iter().find(|probe| probe.name == name)
}

/// A set of rows, as the mailbox has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProbeSet(pub [u32; PROBE_WORDS]);

impl ProbeSet {
    /// None.
    pub const NONE: ProbeSet = ProbeSet([0; PROBE_WORDS]);

    /// The rows that `wanted` says yes to.
    pub fn chosen(wanted: impl Fn(&Probe) -> bool) -> ProbeSet {
        let mut set = ProbeSet::NONE;
        for (row, probe) in PROBES.iter().enumerate() {
            if let (true, Some(word)) = (wanted(probe), set.0.get_mut(row / 32)) {
                *word |= 1 << (row % 32);
            }
        }
        set
    }

    /// Every row.
    pub fn all() -> ProbeSet {
        ProbeSet::chosen(|_| true)
    }

    /// Those that touch registers alone.
    pub fn safe() -> ProbeSet {
        ProbeSet::chosen(|probe| probe.class == "safe")
    }

    /// These without the row of this name.
    #[must_use]
    pub fn without(self, name: &str) -> ProbeSet {
        self.and(ProbeSet::chosen(|probe| probe.name != name))
    }

    /// These without what QEMU's TCG hangs on.
    #[must_use]
    pub fn under_tcg(self) -> ProbeSet {
        self.and(ProbeSet::chosen(|probe| probe.class != "kvm"))
    }

    /// Those that KVM's instruction emulator knows (Linux arch/x86/kvm/emulate.c): of the others it ends the guest, where #UD is right.
    #[must_use]
    pub fn under_emulation(self) -> ProbeSet {
        self.and(ProbeSet::chosen(|probe| {
            EMULATED.contains(&probe.name)
                || matches!(probe.kind, "cr4" | "xcr0" | "msr" | "wrmsr" | "page")
        }))
    }

    /// These without what is not in `other`.
    #[must_use]
    pub fn and(self, other: ProbeSet) -> ProbeSet {
        let mut words = self.0;
        for (word, kept) in words.iter_mut().zip(other.0) {
            *word &= kept;
        }
        ProbeSet(words)
    }

    /// Hexadecimal digits, the first rows last.
    pub fn digits(self) -> String {
        let words = self.0.iter().rev();
        words.map(|word| format!("{word:08x}")).collect()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == ProbeSet::NONE
    }
}

#[cfg(test)]
#[path = "probes_tests.rs"]
mod tests;
