//! The settings of Bochs (`bochsrc`) that all its machines share.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::case::Processor;

/// Instructions for a second of Bochs' own clock, by which its timers run.
pub const INSTRUCTIONS: u32 = 20_000_000;

/// What an MSR that the model does not have does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMsr {
    /// It reads as 0 and takes every value, as Bochs has it by default.
    Ignored,
    /// #GP, as on a processor.
    Refused,
}

/// Where output would go, and how much RAM there is. The screen is a terminal that Bochs opens itself.
pub fn machine(megabytes: u64) -> String {
    format!(
        "config_interface: textconfig
display_library: term
memory: guest={megabytes}, host={megabytes}
"
    )
}

/// The processor, and a clock that nothing waits for.
pub fn processor(processor: &Processor, unknown: UnknownMsr) -> String {
    let model = &processor.model;
    let ignored = u8::from(unknown == UnknownMsr::Ignored);
    let without = match &*processor.without {
        [] => String::new(),
        names => format!(", exclude_features=\"{}\"", names.join(",")),
    };
    format!(
        "cpu: model={model}, count=1, ips={INSTRUCTIONS}, reset_on_triple_fault=0, ignore_bad_msrs={ignored}{without}
clock: sync=none, time0=local, rtc_sync=0
"
    )
}

/// Nothing makes a sound, and whatever Bochs would ask its user ends it instead, with the message on standard error.
pub const QUIET: &str = "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
";

/// Bytes as a file in memory, which Bochs opens by the path of the descriptor that it inherits.
///
/// # Errors
/// The kernel gives none.
pub fn file(name: &str, bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// Of what Bochs prints, what is worth reading: not what it reports of its start, lines with a time, and `i`, `d` or `e` before the part that reports.
pub fn messages(stderr: &str) -> String {
    let kept = |line: &&str| {
        let level = line.trim_start_matches(|c: char| c.is_ascii_digit());
        !["i[", "d[", "e["]
            .iter()
            .any(|start| level.starts_with(start))
            && !line.starts_with("====")
    };
    stderr.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_processor_lacks_is_one_list_and_an_unknown_msr_does_as_asked() {
        let line = |unknown, without: &[&str]| {
            let model = Processor {
                model: "tigerlake".to_owned(),
                without: without.iter().map(|name| (*name).to_owned()).collect(),
            };
            let text = processor(&model, unknown);
            text.lines().next().map(str::to_owned)
        };
        let start = "cpu: model=tigerlake, count=1, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=";
        assert_eq!(line(UnknownMsr::Refused, &[]), Some(format!("{start}0")));
        assert_eq!(
            line(UnknownMsr::Ignored, &["avx512", "avx512dq"]),
            Some(format!("{start}1, exclude_features=\"avx512,avx512dq\""))
        );
    }

    #[test]
    fn of_what_bochs_prints_its_panic_is_kept() {
        let printed = "00000000000i[PLUGIN] loaded plugin libbx_serial.so\n\
                       00000000000e[      ] /proc/self/fd/8:10: autodetection enabled\n\
                       00000000000p[CPU0  ] >>PANIC<< PANIC: AVX-512 is enabled when AVX2 is not supported\n\
                       ========\n";
        assert_eq!(
            messages(printed),
            "00000000000p[CPU0  ] >>PANIC<< PANIC: AVX-512 is enabled when AVX2 is not supported"
        );
    }
}
