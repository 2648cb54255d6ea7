//! The settings of Bochs (`bochsrc`) for a lab's machine.

use crate::case::host::Processor;
use crate::vmm::bochs::settings::{self, UnknownMsr};

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

/// The settings. MSRs that the model does not have are ignored: Linux asks for some.
pub fn render(processor: &Processor, megabytes: u64, files: &Files<'_>) -> String {
    let Files {
        bios,
        vga_bios,
        disk,
        console,
        doorbell,
    } = files;
    let devices = format!(
        "romimage: file=\"{bios}\", options=fastboot
vgaromimage: file=\"{vga_bios}\"
ata0-master: type=disk, path=\"{disk}\", mode=flat
boot: disk
com1: enabled=1, mode=file, dev=\"{console}\"
com2: enabled=1, mode=term, dev=\"{doorbell}\"
"
    );
    let processor = settings::processor(processor, UnknownMsr::Ignored);
    settings::machine(megabytes) + &devices + &processor + settings::QUIET
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
ata0-master: type=disk, path=\"/proc/self/fd/7\", mode=flat
boot: disk
com1: enabled=1, mode=file, dev=\"/proc/self/fd/8\"
com2: enabled=1, mode=term, dev=\"/proc/self/fd/9\"
cpu: model=tigerlake, count=1, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local, rtc_sync=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
log: -
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"
        );
    }
}
