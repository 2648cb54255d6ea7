//! The emulated host that QEMU's TCG gives: an AMD processor with SVM and nested paging, enough for an unmodified kernel's
//! kvm-amd (target/i386/tcg/system/svm_helper.c).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::host::lab::emulated::{EmulatedHost, Parts};
use crate::host::lab::wire;

/// What names this host.
pub const LABEL: &str = "svm";

/// QEMU with TCG.
#[derive(Clone, Debug)]
pub struct TcgSvm {
    /// The binary; any release, it need not be the one under test.
    pub qemu: PathBuf,
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

    fn command(&self, parts: Parts<'_>) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec![self.qemu.clone().into()];
        let mut add = |arguments: &[&str]| line.extend(arguments.iter().map(OsString::from));
        add(&["-nodefaults", "-no-user-config", "-display", "none"]);
        add(&["-machine", "q35", "-m", &format!("{}M", parts.megabytes)]);
        // One vCPU, hence one thread: MTTCG would add a lock to every instruction with side effects, and nothing to do for a second.
        add(&["-accel", "tcg,thread=single"]);
        add(&["-cpu", CPU]);
        // A panic is a reboot (panic=-1), and a reboot the end.
        add(&["-no-reboot"]);
        let shared = parts.shared;
        let size = wire::SIZE >> 20;
        let memory =
            format!("memory-backend-file,id=shared,share=on,mem-path={shared},size={size}M");
        add(&["-object", &memory, "-device", "ivshmem-plain,memdev=shared"]);
        let console = format!("file,id=console,path={}", parts.console);
        let doorbell = format!("socket,id=doorbell,fd={}", parts.doorbell);
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

/// All that TCG emulates, and the virtualization that it leaves off by default.
const CPU: &str = "max,+svm,+npt";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::shell::pasteable;

    #[test]
    fn the_command_line_names_every_part() {
        let host = TcgSvm {
            qemu: "/opt/qemu".into(),
        };
        let line = host.command(Parts {
            kernel: Path::new("vmlinuz"),
            initramfs: Path::new("lab.cpio"),
            command_line: "panic=-1",
            megabytes: 512,
            shared: "/proc/self/fd/7",
            console: "/proc/self/fd/8",
            doorbell: 9,
        });
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
}
