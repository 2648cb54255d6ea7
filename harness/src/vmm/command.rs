//! The QEMU command line of a case: a pure function.

use std::ffi::OsString;
use std::path::Path;

use crate::case::Accelerator;
use crate::case::guest::Case;

/// Where the parts of the guest are.
#[derive(Clone, Debug)]
pub struct Wiring<'a> {
    /// The ROM.
    pub rom: &'a Path,
    /// MiB of guest RAM.
    pub megabytes: u64,
    /// File that backs guest RAM; `None` leaves RAM to QEMU.
    pub memory: Option<&'a str>,
    /// Further arguments: the debug port, the serial port.
    pub extra: &'a [String],
}

/// I/O port of isa-debug-exit, its default; [`fidelity_protocol::config::Config::default`] has the same.
pub const EXIT_PORT: u16 = 0x501;
/// I/O port of isa-debugcon for the port channel, where SeaBIOS too has its debug console.
pub const DEBUG_PORT: u16 = 0x402;

/// Program and arguments.
pub fn command(case: &Case, wiring: &Wiring<'_>) -> Vec<OsString> {
    let mut line: Vec<OsString> = vec![case.qemu.path.clone().into()];
    let mut add = |arguments: &[&str]| line.extend(arguments.iter().map(OsString::from));
    add(&["-nodefaults", "-no-user-config", "-display", "none"]);
    match wiring.memory {
        Some(path) => {
            let size = wiring.megabytes;
            let machine = format!("{},memory-backend=ram", case.machine);
            let backend =
                format!("memory-backend-file,id=ram,share=on,mem-path={path},size={size}M");
            add(&["-machine", &machine, "-object", &backend]);
        }
        None => add(&["-machine", &case.machine]),
    }
    add(&["-m", &format!("{}M", wiring.megabytes)]);
    add(&["-accel", accelerator(case)]);
    add(&["-cpu", &case.cpu_argument()]);
    if case.smp.as_str() != "1" {
        add(&["-smp", case.smp.as_str()]);
    }
    let exit = format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=2");
    add(&["-device", &exit]);
    wiring
        .extra
        .iter()
        .for_each(|argument| add(&[argument.as_str()]));
    line.push("-bios".into());
    line.push(wiring.rom.into());
    line
}

/// The `-accel` argument.
pub(super) fn accelerator(case: &Case) -> &'static str {
    match case.accelerator() {
        // With one vCPU MTTCG only adds a thread pool's worth of start-up.
        Accelerator::Tcg if case.smp.vcpus() == 1 => "tcg,thread=single",
        accelerator => accelerator.name(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::case::offers::Offers;
    use crate::case::{Lane, Qemu};

    fn case(lane: Lane, smp: &str) -> Case {
        let qemu = Arc::new(Qemu {
            path: "/opt/qemu".into(),
            label: "qemu-10.0".to_owned(),
            offers: Arc::new(Offers::default()),
        });
        Case {
            smp: smp.parse().expect("a topology"),
            ..Case::new(&qemu, lane, "q35", "EPYC-v4")
        }
    }

    fn line(lane: Lane, smp: &str) -> String {
        let wiring = Wiring {
            rom: Path::new("agent.rom"),
            megabytes: 32,
            memory: Some("/proc/self/fd/9"),
            extra: &[],
        };
        let words = command(&case(lane, smp), &wiring);
        let words: Vec<_> = words
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        crate::util::shell::pasteable(&words)
    }

    #[test]
    fn the_definition_lane_forces_features() {
        assert_eq!(
            line(Lane::DEFINITION, "1"),
            "/opt/qemu -nodefaults -no-user-config -display none -machine q35,memory-backend=ram \
             -object memory-backend-file,id=ram,share=on,mem-path=/proc/self/fd/9,size=32M -m 32M \
             -accel tcg,thread=single -cpu EPYC-v4,x-force-features=on \
             -device isa-debug-exit,iobase=0x501,iosize=2 -bios agent.rom"
        );
    }

    #[test]
    fn other_lanes_leave_the_model_alone() {
        assert!(line(Lane::TCG, "4,cores=4").contains("-accel tcg -cpu EPYC-v4 -smp 4,cores=4 "));
    }

    #[test]
    fn odd_words_are_quoted() {
        assert_eq!(
            crate::util::shell::pasteable(&["a b".to_owned(), String::new()]),
            "'a b' ''"
        );
    }
}
