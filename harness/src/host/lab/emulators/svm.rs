//! The emulated host that QEMU's TCG gives: an AMD processor with SVM and nested paging, enough for an unmodified kernel's
//! kvm-amd (target/i386/tcg/system/svm_helper.c).

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::case::Processor;
use crate::host::lab::emulated::{EmulatedHost, Machine, Parts, inherited_path, memory};
use crate::host::lab::error::LabError;
use crate::host::lab::transport::Transport;
use crate::host::lab::wire;
use crate::vmm::start::StartError;

/// What names this host.
pub const LABEL: &str = "svm";

/// QEMU with TCG.
#[derive(Clone, Debug)]
pub struct TcgSvm {
    /// The binary; any release, it need not be the one under test.
    pub qemu: PathBuf,
    /// The processor; without a model, all that TCG emulates.
    pub processor: Processor,
}

impl EmulatedHost for TcgSvm {
    fn label(&self) -> &'static str {
        LABEL
    }

    fn name(&self) -> &'static str {
        "QEMU TCG with AMD SVM"
    }

    fn module(&self) -> &'static str {
        "kvm_amd"
    }

    fn options(&self) -> &'static [&'static str] {
        &["CONFIG_VIRTUALIZATION", "CONFIG_KVM", "CONFIG_KVM_AMD"]
    }

    fn program(&self) -> &Path {
        &self.qemu
    }

    fn transport(&self) -> Transport {
        Transport::Ivshmem
    }

    fn machine(&self, parts: Parts<'_>) -> Result<Machine, LabError> {
        let no_room = |error: std::io::Error| StartError::new("the lab", error);
        let shared = memory("lab-shared", wire::SIZE as u64).map_err(no_room)?;
        let console = memory("lab-console", 0).map_err(no_room)?;
        let (doorbell, theirs) = UnixStream::pair().map_err(no_room)?;
        let link = Link {
            shared: &inherited_path(&shared),
            console: &inherited_path(&console),
            doorbell: theirs.as_raw_fd(),
        };
        let command = self.command(parts, &link);
        Ok(Machine {
            command,
            inherited: vec![theirs.into()],
            shared,
            shared_at: 0,
            console,
            doorbell: File::from(OwnedFd::from(doorbell)),
        })
    }
}

/// What connects the machine with the host.
#[derive(Clone, Copy, Debug)]
struct Link<'a> {
    /// File of [`wire::SIZE`] bytes that appears as the shared memory of an inter-VM memory device.
    shared: &'a str,
    /// File that takes what comes out of the first serial port.
    console: &'a str,
    /// Number of the inherited socket that is the second serial port.
    doorbell: i32,
}

impl TcgSvm {
    /// Program and arguments.
    fn command(&self, parts: Parts<'_>, link: &Link<'_>) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec![self.qemu.clone().into()];
        let mut add = |arguments: &[&str]| line.extend(arguments.iter().map(OsString::from));
        add(&["-nodefaults", "-no-user-config", "-display", "none"]);
        add(&["-machine", "q35", "-m", &format!("{}M", parts.megabytes)]);
        // One vCPU, hence one thread: MTTCG would add a lock to every instruction with side effects, and nothing to do for a second.
        add(&["-accel", "tcg,thread=single"]);
        add(&["-cpu", &cpu(&self.processor)]);
        // A panic is a reboot (panic=-1), and a reboot the end.
        add(&["-no-reboot"]);
        let shared = link.shared;
        let size = wire::SIZE >> 20;
        let memory =
            format!("memory-backend-file,id=shared,share=on,mem-path={shared},size={size}M");
        add(&["-object", &memory, "-device", "ivshmem-plain,memdev=shared"]);
        let console = format!("file,id=console,path={}", link.console);
        let doorbell = format!("socket,id=doorbell,fd={}", link.doorbell);
        add(&["-chardev", &console, "-serial", "chardev:console"]);
        add(&["-chardev", &doorbell, "-serial", "chardev:doorbell"]);
        line.push("-kernel".into());
        line.push(parts.kernel.into());
        line.push("-initrd".into());
        line.push(parts.initramfs.into());
        line.push("-append".into());
        line.push(parts.command_line.into());
        line
    }
}

/// All that TCG emulates, or a model of QEMU's; and the virtualization that TCG leaves off by default.
fn cpu(processor: &Processor) -> String {
    let model = match processor.model.as_str() {
        "" => "max",
        model => model,
    };
    let without: String = processor
        .without
        .iter()
        .map(|name| format!(",-{name}"))
        .collect();
    format!("{model},+svm,+npt{without}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::shell::pasteable;

    #[test]
    fn the_command_line_names_every_part() {
        let host = TcgSvm {
            qemu: "/opt/qemu".into(),
            processor: Processor::default(),
        };
        let parts = Parts {
            kernel: Path::new("vmlinuz"),
            initramfs: Path::new("lab.cpio"),
            command_line: "panic=-1",
            megabytes: 512,
        };
        let link = Link {
            shared: "/proc/self/fd/7",
            console: "/proc/self/fd/8",
            doorbell: 9,
        };
        let line = host.command(parts, &link);
        let line: Vec<String> = line
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            pasteable(&line),
            "/opt/qemu -nodefaults -no-user-config -display none -machine q35 -m 512M -accel tcg,thread=single -cpu max,+svm,+npt \
             -no-reboot -object memory-backend-file,id=shared,share=on,mem-path=/proc/self/fd/7,size=16M \
             -device ivshmem-plain,memdev=shared -chardev file,id=console,path=/proc/self/fd/8 -serial chardev:console \
             -chardev socket,id=doorbell,fd=9 -serial chardev:doorbell -kernel vmlinuz -initrd lab.cpio -append panic=-1"
        );
    }

    #[test]
    fn a_processor_is_a_model_without_some_features() {
        let rome = Processor {
            model: "EPYC-Rome-v1".to_owned(),
            without: vec!["avx2".to_owned()],
        };
        assert_eq!(cpu(&rome), "EPYC-Rome-v1,+svm,+npt,-avx2");
        assert_eq!(cpu(&Processor::default()), "max,+svm,+npt");
    }
}
