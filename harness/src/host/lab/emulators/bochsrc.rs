//! The settings of Bochs (`bochsrc`) for a lab's machine.

use crate::case::host::Processor;

/// The files of the machine, each by the path under which Bochs opens it.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The BIOS.
    pub bios: &'a str,
    /// The VGA BIOS.
    pub vga_bios: &'a str,
    /// The disk.
    pub disk: &'a str,
    /// What takes the first serial port's output.
    pub console: &'a str,
    /// The terminal that is the second serial port.
    pub doorbell: &'a str,
}

/// Instructions for a second of Bochs' own clock, by which its timers run.
pub const INSTRUCTIONS: u32 = 20_000_000;

/// The settings.
///
/// `panic: action=fatal` and the like: whatever Bochs would ask its user ends it instead, with the message on standard error. Nothing
/// is emulated that makes a sound, and the screen is a terminal that Bochs opens itself.
pub fn render(processor: &Processor, megabytes: u64, files: &Files<'_>) -> String {
    let Files {
        bios,
        vga_bios,
        disk,
        console,
        doorbell,
    } = files;
    let model = &processor.model;
    let without = match &*processor.without {
        [] => String::new(),
        names => format!(", exclude_features=\"{}\"", names.join(",")),
    };
    format!(
        "config_interface: textconfig
display_library: term
memory: guest={megabytes}, host={megabytes}
romimage: file=\"{bios}\", options=fastboot
vgaromimage: file=\"{vga_bios}\"
cpu: model={model}, count=1, ips={INSTRUCTIONS}, reset_on_triple_fault=0, ignore_bad_msrs=1{without}
clock: sync=none, time0=local, rtc_sync=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
ata0-master: type=disk, path=\"{disk}\", mode=flat
boot: disk
com1: enabled=1, mode=file, dev=\"{console}\"
com2: enabled=1, mode=term, dev=\"{doorbell}\"
log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Files<'_> = Files {
        bios: "/b/BIOS-bochs-latest",
        vga_bios: "/b/vgabios.bin",
        disk: "/proc/self/fd/7",
        console: "/proc/self/fd/8",
        doorbell: "/proc/self/fd/9",
    };

    fn processor(without: &[&str]) -> Processor {
        Processor {
            model: "tigerlake".to_owned(),
            without: without.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn the_settings_name_every_file_and_ask_nobody() {
        assert_eq!(
            render(&processor(&[]), 512, &FILES),
            "config_interface: textconfig
display_library: term
memory: guest=512, host=512
romimage: file=\"/b/BIOS-bochs-latest\", options=fastboot
vgaromimage: file=\"/b/vgabios.bin\"
cpu: model=tigerlake, count=1, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local, rtc_sync=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
ata0-master: type=disk, path=\"/proc/self/fd/7\", mode=flat
boot: disk
com1: enabled=1, mode=file, dev=\"/proc/self/fd/8\"
com2: enabled=1, mode=term, dev=\"/proc/self/fd/9\"
log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"
        );
    }

    #[test]
    fn what_the_processor_lacks_is_one_list() {
        let text = render(&processor(&["avx512", "avx512dq"]), 512, &FILES);
        assert!(text.contains("ignore_bad_msrs=1, exclude_features=\"avx512,avx512dq\"\n"));
    }
}
