//! The emulated host that Bochs gives: an Intel processor with VMX, EPT and unrestricted guests, enough for an unmodified kernel's
//! kvm-intel (cpu/vmx.cc of Bochs).
//!
//! Bochs has neither a loader for kernels nor an inter-VM memory device: its machine boots from a disk of ours ([`boot`](crate::host::lab::boot)), and on that
//! disk is the memory that /init and the host share.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::bochsrc::{self, Files};
use super::models;
use crate::case::host::Processor;
use crate::host::lab::boot::{AREA, AREA_SECTOR, disk};
use crate::host::lab::emulated::{EmulatedHost, Machine, Pace, Parts, inherited_path, memory};
use crate::host::lab::error::LabError;
use crate::host::lab::transport::Transport;
use crate::vmm::bochs::settings;
use crate::vmm::start::StartError;

/// What names this host.
pub const LABEL: &str = "vmx";

pub use crate::vmm::bochs::RELEASE;

/// Bochs with VMX.
#[derive(Clone, Debug)]
pub struct BochsVmx {
    /// The wrapper that scripts/fetch-bochs made; its BIOSes are beside it.
    pub bochs: PathBuf,
    /// The processor.
    pub processor: Processor,
}

impl EmulatedHost for BochsVmx {
    fn label(&self) -> &'static str {
        LABEL
    }

    fn name(&self) -> &'static str {
        "Bochs with Intel VMX"
    }

    fn module(&self) -> &'static str {
        "kvm_intel"
    }

    fn options(&self) -> &'static [&'static str] {
        &["CONFIG_VIRTUALIZATION", "CONFIG_KVM", "CONFIG_KVM_INTEL"]
    }

    fn remark(&self) -> Option<&'static str> {
        Some(
            "the emulated host is Bochs, and kvm-intel has enable_apicv=0 there: without it guests with KVM's interrupt controller do not \
             start, for Bochs refuses a posted-interrupt descriptor that is not at the start of a page (cpu/vmx.cc). So KVM does not \
             offer vmx-posted-intr (MSRs 481H and 48DH); --module-param kvm_intel.enable_apicv=1 shows that it would",
        )
    }

    /// An instruction is a tick of the TSC, which is the one clock that agrees with what the guest does; a processor that waits is
    /// one that spins, for an emulator that sleeps in HLT sleeps longer than the guest.
    fn parameters(&self) -> &'static str {
        "hpet=disable clocksource=tsc tsc=reliable idle=poll no5lvl kvm_intel.enable_apicv=0"
    }

    fn stops(&self, release: &str) -> Option<String> {
        models::stops(&self.processor.model, release)
    }

    fn transport(&self) -> Transport {
        Transport::AtaDisk {
            sector: AREA_SECTOR,
        }
    }

    fn starts_unpacked(&self) -> bool {
        true
    }

    fn lean_modules(&self) -> bool {
        true
    }

    fn spins(&self) -> bool {
        true
    }

    fn powers_off(&self) -> bool {
        false
    }

    fn messages(&self, stderr: &str) -> String {
        settings::messages(stderr)
    }

    /// Bochs executes some 195 million instructions a second, and takes six times as long as QEMU for the same boot (measured, 2.6 GHz). An
    /// instruction is a tick of the TSC. Where CPUID says that there are 3.5 billion in a second, the kernel believes it; else it measures
    /// against a timer by Bochs' own clock, for which there are [`settings::INSTRUCTIONS`].
    fn pace(&self) -> Pace {
        let model = models::find(&self.processor.model);
        let ticks = match model {
            Some(model) if !model.tells_frequency => settings::INSTRUCTIONS,
            _ => 3_500_000_000,
        };
        Pace {
            slower: 6,
            second: Duration::from_secs_f64(f64::from(ticks) / 195e6),
        }
    }

    fn program(&self) -> &Path {
        &self.bochs
    }

    fn machine(&self, parts: Parts<'_>) -> Result<Machine, LabError> {
        let no_room = |error: std::io::Error| StartError::new("the lab", error);
        let shared = memory("lab-disk", 0).map_err(no_room)?;
        disk::write(
            &shared,
            &disk::Booted {
                kernel: parts.kernel,
                initramfs: parts.initramfs,
                command_line: parts.command_line,
                megabytes: parts.megabytes,
            },
        )?;
        let console = memory("lab-console", 0).map_err(no_room)?;
        let (doorbell, theirs) = terminal().map_err(|error| no_room(error.into()))?;
        let files = Files {
            bios: &self.beside("BIOS-bochs-latest"),
            vga_bios: &self.beside("vgabios.bin"),
            disk: &inherited_path(&shared),
            console: &inherited_path(&console),
            doorbell: &inherited_path(&theirs),
        };
        let text = bochsrc::render(&self.processor, parts.megabytes, &files);
        let settings = settings::file("lab-bochsrc", text.as_bytes()).map_err(no_room)?;
        let mut command: Vec<OsString> = vec![self.bochs.clone().into()];
        command.extend(["-q", "-f", &inherited_path(&settings)].map(OsString::from));
        Ok(Machine {
            command,
            inherited: vec![theirs, settings],
            shared,
            shared_at: AREA,
            console,
            doorbell: File::from(doorbell),
        })
    }
}

impl BochsVmx {
    /// A file of the BIOSes.
    fn beside(&self, name: &str) -> String {
        let folder = self.bochs.parent().unwrap_or(Path::new("."));
        folder.join("bios").join(name).display().to_string()
    }
}

/// A terminal that passes bytes as they are: this side's end and the machine's.
fn terminal() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let theirs = rustix::fs::open(&name, flags, rustix::fs::Mode::empty())?;
    let mut settings = rustix::termios::tcgetattr(&theirs)?;
    settings.make_raw();
    rustix::termios::tcsetattr(&theirs, rustix::termios::OptionalActions::Now, &settings)?;
    Ok((ours, theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_bioses_lie_beside_it() {
        let host = BochsVmx {
            bochs: "/opt/bochs".into(),
            processor: Processor::default(),
        };
        assert_eq!(host.beside("vgabios.bin"), "/opt/bios/vgabios.bin");
    }

    #[test]
    fn a_guest_has_as_much_time_whether_or_not_the_kernel_measures_the_clock() {
        let inside = |model: &str| {
            let host = BochsVmx {
                bochs: "/opt/bochs".into(),
                processor: Processor {
                    model: model.to_owned(),
                    ..Processor::default()
                },
            };
            let inside = host.pace().inside(Duration::from_secs(20));
            (inside + Duration::from_millis(500)).as_secs()
        };
        // 120 s of this host, in which the one clock advances by 7 s and the other by 1170 s.
        assert_eq!(
            [inside("corei7_skylake_x"), inside("corei7_haswell_4770")],
            [7, 1170]
        );
    }

    #[test]
    fn a_terminal_passes_bytes_as_they_are() {
        use std::io::{Read as _, Write as _};
        let (ours, theirs) = terminal().expect("a terminal");
        let (mut ours, mut theirs) = (File::from(ours), File::from(theirs));
        let mut byte = [0];
        for (value, from_us) in [(b'\n', true), (3, true), (b'!', false), (b'\n', false)] {
            let (from, to) = if from_us {
                (&mut ours, &mut theirs)
            } else {
                (&mut theirs, &mut ours)
            };
            from.write_all(&[value]).expect("a write");
            to.read_exact(&mut byte).expect("a byte");
            assert_eq!(byte, [value]);
        }
    }
}
