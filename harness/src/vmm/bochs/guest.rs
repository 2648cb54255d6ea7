//! One run of the agent on Bochs.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use fidelity_protocol::config::{self, Config};
use fidelity_protocol::frame::Phase;
use rustix::pipe::{PipeFlags, pipe_with};

use super::error::BochsError;
use super::settings::{self, UnknownMsr, file};
use super::stream::{State, Stream, is_good};
use crate::case::Processor;
use crate::cpuid::Dump;
use crate::cpuid::assemble::assemble;
use crate::cpuid::probes::PROBES;
use crate::util::cancel::Cancel;
use crate::util::output::Kept;
use crate::util::process::{Ending, Finished, Process, Woken};
use crate::util::spawn::{OnCancel, Start, Streams};
use crate::vmm::AGENT_ROM;
use crate::vmm::guest::Options;
use crate::vmm::start::StartError;

/// MiB of RAM.
const MEGABYTES: u64 = 32;
/// The port that Bochs copies to its standard output (iodev/unmapped.cc, `port_e9_hack`).
const PORT: u32 = 0xE9;
/// Bytes read at once.
const PART: usize = 4096;

/// What a guest of Bochs left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What its agent saw.
    pub dump: Dump,
    /// Bochs' whole life.
    pub elapsed: Duration,
}

/// Runs the agent on a processor of Bochs, and waits for its end.
///
/// # Errors
/// There is no whole dump.
pub fn boot(
    bochs: &Path,
    processor: &Processor,
    options: &Options,
    cancel: &Cancel,
) -> Result<Ran, BochsError> {
    let ended = run(bochs, processor, options, cancel)
        .map_err(|error| StartError::new(bochs.display(), error))?;
    let assembled = assemble([ended.stream.frames()]);
    let last = last_probe(&assembled.dump);
    let (stream, model) = (assembled.error, processor.model.clone());
    match (ended.byte, ended.finished.ending) {
        (Some(byte), _) if is_good(byte) && stream.is_none() => Ok(Ran {
            dump: assembled.dump,
            elapsed: ended.finished.elapsed,
        }),
        (Some(_), _) | (None, Ending::Garbled) => Err(BochsError::Incomplete { model, stream }),
        (None, Ending::Cancelled) => Err(BochsError::Cancelled),
        (None, Ending::TimedOut) => Err(BochsError::TimedOut {
            model,
            after: options.timeout,
            stream,
            last,
        }),
        (None, ending) => Err(BochsError::Ended {
            model,
            ending,
            stream,
            last,
            messages: settings::messages(&ended.finished.stderr),
        }),
    }
}

/// The last probe that gave an answer: each answer is sent before the next probe is tried.
fn last_probe(dump: &Dump) -> Option<&'static str> {
    let tried = &dump.boot_processor()?.phase(Phase::Behaviour)?.tried;
    let mut latest = PROBES.iter().rev();
    let last = latest.find(|probe| tried.contains_key(probe.name))?;
    Some(last.name)
}

struct Ended {
    stream: Stream,
    /// The byte of the exit port, if it came.
    byte: Option<u8>,
    finished: Finished,
}

fn run(
    bochs: &Path,
    processor: &Processor,
    options: &Options,
    cancel: &Cancel,
) -> std::io::Result<Ended> {
    let files = Files::new(bochs, processor, options)?;
    let (output, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    let command: [OsString; 4] = [
        bochs.into(),
        "-q".into(),
        "-f".into(),
        path(&files.settings).into(),
    ];
    let start = Start {
        command: &command,
        folder: None,
        variables: &[],
        streams: Streams::OutputTo(theirs),
        inherit: &[&files.rom, &files.mailbox, &files.settings].map(|file| file.as_fd()),
        deadline: options.timeout,
        cancel,
        on_cancel: OnCancel::Kill,
    };
    let mut process = Process::spawn(start, Kept::default())?;
    let mut stream = Stream::default();
    let state = read(&mut process, &output, &mut stream);
    if state != State::Open {
        process.extend(Duration::ZERO);
    }
    let mut finished = process.finish();
    if state == State::Garbled {
        finished.ending = Ending::Garbled;
    }
    Ok(Ended {
        byte: match state {
            State::Ended(byte) => Some(byte),
            _ => None,
        },
        stream,
        finished,
    })
}

/// Reads until the agent has ended, or Bochs has.
fn read(process: &mut Process, output: &OwnedFd, stream: &mut Stream) -> State {
    let mut part = [0; PART];
    while process.wait_for(output.as_fd()) == Woken::Ready {
        match rustix::io::read(output, &mut part[..]) {
            Ok(0) => break,
            Ok(count) => match stream.push(&part[..count]) {
                State::Open => {}
                state => return state,
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    State::Open
}

/// The files that Bochs reads.
struct Files {
    rom: OwnedFd,
    mailbox: OwnedFd,
    settings: OwnedFd,
}

impl Files {
    fn new(bochs: &Path, processor: &Processor, options: &Options) -> std::io::Result<Files> {
        let mut mailbox = [0; config::SIZE];
        wanted(options).write(&mut mailbox);
        let rom = file("agent-rom", AGENT_ROM)?;
        let mailbox = file("mailbox", &mailbox)?;
        let vga = bochs.with_file_name("bios").join("vgabios.bin");
        let text = [
            settings::machine(MEGABYTES),
            format!("romimage: file=\"{}\"\n", path(&rom)),
            format!("vgaromimage: file=\"{}\"\n", vga.display()),
            format!(
                "optramimage1: file=\"{}\", address={:#x}\n",
                path(&mailbox),
                config::ADDRESS
            ),
            "port_e9_hack: enabled=1\n".to_owned(),
            settings::processor(processor, UnknownMsr::Refused),
            settings::QUIET.to_owned(),
        ];
        Ok(Files {
            settings: file("bochsrc", text.concat().as_bytes())?,
            rom,
            mailbox,
        })
    }
}

fn path(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What the agent is asked for. All is tried, bits of CR4 that are hidden too; each answer is sent before the next instruction is tried.
fn wanted(options: &Options) -> Config {
    let phases = options.phases.iter();
    Config {
        flags: config::FLAG_PORT | config::FLAG_HIDDEN_CR4 | config::FLAG_EACH_PROBE,
        phases: phases.fold(0, |bits, phase| bits | phase.bit()),
        vcpus: 1,
        slots: 1,
        debug_port: PORT,
        exit_port: PORT,
        probes: options.probes.0,
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::require::{Capability, require};

    /// The agent on a model, in the time that it is given; skipped where there is no Bochs.
    fn ran(model: &str, timeout: Duration, cancelled: bool) -> Option<Result<Ran, BochsError>> {
        let bochs = require(Capability::Bochs)?;
        let cancel = Cancel::new().expect("an eventfd");
        if cancelled {
            cancel.throw();
        }
        let processor = Processor {
            model: model.to_owned(),
            without: Vec::new(),
        };
        let options = Options {
            timeout,
            ..Options::default()
        };
        Some(boot(&bochs, &processor, &options, &cancel))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_same_rom_reports_from_a_386_and_from_a_processor_with_amx() {
        for (model, mode, has_cpuid) in [("i386", 32, false), ("sapphire_rapids", 64, true)] {
            let ran = or_skip!(ran(model, LONG, false)).expect("a dump");
            assert_eq!((ran.dump.mode, ran.dump.has_cpuid), (mode, has_cpuid));
            let boot = ran.dump.boot_processor().expect("a vCPU");
            let behaviour = boot.phase(Phase::Behaviour).expect("the phase");
            assert!(behaviour.complete && behaviour.tried.len() > 150, "{model}");
        }
    }

    #[test]
    fn a_model_that_there_is_not_is_told_by_bochs_itself() {
        let error = or_skip!(ran("i586", LONG, false)).expect_err("no dump");
        let BochsError::Ended {
            ending, messages, ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(ending, Ending::Exited(1));
        assert!(messages.contains("cpu directive malformed"), "{messages}");
    }

    #[test]
    fn a_guest_ends_at_its_deadline_and_when_the_run_is_cancelled() {
        let late = or_skip!(ran("ryzen", Duration::from_millis(1), false));
        let late = late.expect_err("no dump");
        assert!(matches!(late, BochsError::TimedOut { .. }), "{late}");
        let cancelled = or_skip!(ran("ryzen", LONG, true)).expect_err("no dump");
        assert_eq!(cancelled, BochsError::Cancelled);
    }
}
