//! The text of `kcpuid -r` of Linux: one processor, without leaves whose registers are all 0.

use std::fmt::Write as _;

use super::answers::answers;
use crate::cpuid::answers::{Key, Regs};
use crate::cpuid::dump::Dump;

/// The boot processor. The hypervisor's range has a heading of its own; kcpuid itself does not read it.
pub fn kcpuid(dump: &Dump) -> String {
    let boot = dump.boot_processor();
    let rows: Vec<(&Key, &Regs)> = boot.into_iter().flat_map(answers).collect();
    let mut text = String::new();
    let mut range = None;
    for leaf in rows.chunk_by(|a, b| a.0.leaf == b.0.leaf) {
        let here = heading(leaf[0].0.leaf);
        if range != Some(here) {
            let _ = writeln!(text, "{here} Leafs :\n================");
            range = Some(here);
        }
        write_leaf(&mut text, leaf);
    }
    text
}

fn heading(leaf: u32) -> &'static str {
    match leaf >> 28 {
        0x0..0x4 => "Basic",
        0x4 => "Hypervisor",
        _ => "Extended",
    }
}

fn write_leaf(text: &mut String, rows: &[(&Key, &Regs)]) {
    let leaf = rows[0].0.leaf;
    let with_subleaves = rows.len() > 1 || rows[0].0.subleaf > 0;
    let mut rows = rows.iter().filter(|(_, regs)| **regs != [0; 4]).peekable();
    if with_subleaves && rows.peek().is_some() {
        let _ = writeln!(text, "0x{leaf:08x}: subleafs:");
    }
    for (key, [eax, ebx, ecx, edx]) in rows {
        let _ = if with_subleaves {
            write!(text, " {:>2}", key.subleaf)
        } else {
            write!(text, "0x{leaf:08x}")
        };
        let _ = writeln!(
            text,
            ": EAX=0x{eax:08x}, EBX=0x{ebx:08x}, ECX=0x{ecx:08x}, EDX=0x{edx:08x}"
        );
    }
}
