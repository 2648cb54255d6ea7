//! One processor's registers by the names of the feature table.

use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::hypervisor::{BASE, Hypervisor};
use crate::cpuid::table::{Field, Format, Space, Table};
use crate::input::{Known, Presence, Register};

/// What is known of a processor, and what its bits are called.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub known: &'a Known,
    pub table: &'a Table,
}

impl<'a> Facts<'a> {
    /// A field's value; `None` where it is unknown.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.at(name, 0)
    }

    /// The same at a subleaf.
    pub fn at(&self, name: &str, subleaf: u32) -> Option<u64> {
        self.known.value(self.table.named(name)?, subleaf)
    }

    /// A field's value that is known and not 0.
    pub fn nonzero(&self, name: &str) -> Option<u64> {
        self.value(name).filter(|value| *value != 0)
    }

    /// Whether a feature is there.
    pub fn presence(&self, name: &str) -> Presence {
        let field = self.table.named(name);
        field.map_or(Presence::Unknown, |field| self.known.presence(field))
    }

    /// Four registers, where all of them are known.
    pub fn regs(&self, leaf: u32, subleaf: u32) -> Option<Regs> {
        let mut regs = [0; 4];
        for (index, reg) in (0..).zip(&mut regs) {
            *reg = self.register(leaf, subleaf, index)?;
        }
        Some(regs)
    }

    /// One register, 0 to 3 for EAX to EDX, where all of it is known.
    pub fn register(&self, leaf: u32, subleaf: u32, index: u8) -> Option<u32> {
        let place = Register::Cpuid(Key::new(leaf, subleaf), index);
        let word = self.known.register(place);
        let all = u64::from(u32::MAX);
        (word.known & all == all).then_some(u32::try_from(word.value).ok()?)
    }

    /// An MSR, where all of it is known.
    pub fn msr(&self, index: u32) -> Option<u64> {
        let word = self.known.register(Register::Msr(index));
        (word.known == u64::MAX).then_some(word.value)
    }

    /// Text in fields of four bytes each.
    pub fn text(&self, names: &[&str]) -> Option<String> {
        let words = names.iter().map(|name| self.value(name));
        let words = words.collect::<Option<Vec<u64>>>()?;
        let bytes = words
            .iter()
            .flat_map(|word| word.to_le_bytes().into_iter().take(4));
        let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The vendor of leaf 0.
    pub fn vendor(&self) -> Option<String> {
        self.text(&["vendor-0", "vendor-1", "vendor-2"])
    }

    /// Whether AMD's rules hold: AMD and Hygon.
    pub fn is_amd(&self) -> bool {
        let vendor = self.vendor();
        matches!(vendor.as_deref(), Some("AuthenticAMD" | "HygonGenuine"))
    }

    /// Whose hypervisor leaves there are.
    pub fn hypervisor(&self) -> Hypervisor {
        Hypervisor::from_signature(self.regs(BASE, 0))
    }

    /// Fields of a register, by its space.
    pub fn fields(
        &self,
        space: Space,
        key: Key,
        register: u8,
    ) -> impl Iterator<Item = &'a Field> + use<'a> {
        self.table.register(space, key.leaf, key.subleaf, register)
    }

    /// Names of the flags that are set in a register.
    pub fn set_flags(&self, space: Space, key: Key, register: u8) -> Vec<String> {
        let flags = self
            .fields(space, key, register)
            .filter(|field| field.format == Format::Flag);
        let set = flags.filter(|field| {
            let value = self.known.value(field, key.subleaf);
            value.is_some_and(|value| value != 0)
        });
        set.map(|field| field.name.clone()).collect()
    }
}

/// Bytes as people write them: `32 KiB`, `1.5 MiB`.
pub fn bytes(count: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match count {
        0..KIB => format!("{count} B"),
        KIB..MIB if count.is_multiple_of(KIB) => format!("{} KiB", count / KIB),
        KIB..MIB => format!("{count} B"),
        _ if count.is_multiple_of(MIB) => format!("{} MiB", count / MIB),
        _ => format!("{} KiB", count / KIB),
    }
}
