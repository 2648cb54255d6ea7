//! Both QEMUs of a migration, or one of them, and the steps that each takes.

use serde_json::{Value, json};

use super::end::Machine;
use super::outcome::{Migrated, Side, Stage, Statistics};
use super::way::Stream;
use crate::case::migration::{Journey, Way};
use crate::util::process::Ending;
use crate::vmm::monitor::Gone;

/// Why it stopped.
pub(super) enum Halt {
    /// A QEMU ended, or was ended.
    Gone(Side),
    /// A QEMU refused or failed, with its error message.
    Refused(Side, String),
}

/// Both QEMUs, and what is known so far.
pub(super) struct Pair {
    /// `None` where it is on another machine, or has done its part.
    pub source: Option<Machine>,
    /// `None` where it is on another machine.
    pub destination: Option<Machine>,
    /// What is known.
    pub migrated: Migrated,
    /// vCPUs of the guest.
    pub vcpus: u32,
    /// Whether the destination listens already.
    pub receiving: bool,
}

impl Pair {
    /// From the start of both to the dump on the destination.
    pub(super) fn travel(&mut self, stream: &mut Stream, journey: &Journey) -> Result<(), Halt> {
        self.dump()?;
        match journey.way {
            Way::Live => self.live(stream)?,
            Way::File => self.through_file(stream)?,
        }
        self.resume()?;
        stream.keep();
        self.look(journey)
    }

    /// The source alone: the guest dumps, and is saved to the stream's file.
    pub(super) fn leave(&mut self, stream: &mut Stream) -> Result<(), Halt> {
        self.dump()?;
        self.send(stream)?;
        stream.keep();
        self.let_go();
        Ok(())
    }

    /// The destination alone: the guest comes from the stream's file, and dumps.
    pub(super) fn arrive(&mut self, stream: &Stream, journey: &Journey) -> Result<(), Halt> {
        self.greet()?;
        self.receive(stream)?;
        self.migrated.stage = Stage::Stream;
        self.resume()?;
        self.look(journey)
    }

    fn dump(&mut self) -> Result<(), Halt> {
        self.greet()?;
        self.migrated.stage = Stage::Dump;
        let source = machine(&mut self.source, Side::Source)?;
        source.extend();
        let dumped = source.dumped();
        self.migrated.before = match dumped {
            Ok(slots) => slots,
            Err(Gone) => {
                self.migrated.before = source.memory.slots();
                return Err(Halt::Gone(Side::Source));
            }
        };
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Halt> {
        self.migrated.stage = Stage::Resume;
        let destination = machine(&mut self.destination, Side::Destination)?;
        destination.extend();
        let resumed = destination.monitor.event(named("RESUME"));
        resumed.map_err(|Gone| Halt::Gone(Side::Destination))?;
        self.let_go();
        Ok(())
    }

    /// Greets both, so that the refusals of both are reported.
    fn greet(&mut self) -> Result<(), Halt> {
        let mut halted = Ok(());
        for (side, machine) in [
            (Side::Source, &mut self.source),
            (Side::Destination, &mut self.destination),
        ] {
            let Some(machine) = machine else { continue };
            let halt = match machine.greet() {
                Ok(Ok(_)) => continue,
                Ok(Err(message)) => Halt::Refused(side, message),
                Err(Gone) => Halt::Gone(side),
            };
            self.migrated.sides.push(side);
            halted = halted.and(Err(halt));
        }
        halted
    }

    fn live(&mut self, stream: &mut Stream) -> Result<(), Halt> {
        self.receive(stream)?;
        self.send(stream)
    }

    fn through_file(&mut self, stream: &mut Stream) -> Result<(), Halt> {
        self.send(stream)?;
        self.receive(stream)?;
        self.migrated.stage = Stage::Stream;
        Ok(())
    }

    fn receive(&mut self, stream: &Stream) -> Result<(), Halt> {
        self.migrated.stage = Stage::Begin;
        let destination = machine(&mut self.destination, Side::Destination)?;
        destination.extend();
        asked(stream.receive(destination), Side::Destination)?;
        self.receiving = true;
        Ok(())
    }

    /// Sends, and waits for the end of it.
    fn send(&mut self, stream: &mut Stream) -> Result<(), Halt> {
        self.migrated.stage = Stage::Begin;
        let source = machine(&mut self.source, Side::Source)?;
        source.extend();
        asked(stream.send(source), Side::Source)?;
        self.migrated.stage = if self.receiving {
            Stage::Stream
        } else {
            Stage::Save
        };
        let status = source.monitor.event(ended);
        let status = status.map_err(|Gone| Halt::Gone(Side::Source))?;
        if status != "completed" {
            let answer = asked(source.execute("query-migrate", json!({})), Side::Source)?;
            let message = answer["error-desc"].as_str().unwrap_or(&status);
            return Err(Halt::Refused(Side::Source, message.to_owned()));
        }
        Ok(())
    }

    /// The guest runs elsewhere: the source reports what it took, and ends. Not before: it says "completed" first and counts then
    /// (migration_completion and migration_calculate_complete in QEMU's migration/migration.c).
    fn let_go(&mut self) {
        let Some(mut source) = self.source.take() else {
            return;
        };
        if let Ok(Ok(answer)) = source.execute("query-migrate", json!({})) {
            self.migrated.statistics = statistics(&answer);
        }
        self.migrated.source = Some(source.kill().into());
    }

    /// Everything that is done on the destination.
    fn look(&mut self, journey: &Journey) -> Result<(), Halt> {
        let destination = machine(&mut self.destination, Side::Destination)?;
        let gone = |Gone| Halt::Gone(Side::Destination);
        self.migrated.stage = Stage::DumpAgain;
        self.migrated.after = destination.dump_again().map_err(gone)?;
        if journey.plug {
            self.migrated.stage = Stage::Plug;
            plug(destination)?;
            // The memory file is there as long as the machine is.
            let _ = destination.memory.set_vcpus(self.vcpus + 1);
            self.migrated.plugged = Some(destination.dump_again().map_err(gone)?);
        }
        if journey.reset {
            self.migrated.stage = Stage::Reset;
            destination.extend();
            asked(
                destination.execute("system_reset", json!({})),
                Side::Destination,
            )?;
            self.migrated.reset = Some(destination.dumped().map_err(gone)?);
        }
        self.migrated.stage = Stage::Quit;
        Ok(())
    }

    /// Ends what still runs, each in the way that shows most.
    pub(super) fn finish(mut self, halted: Option<Halt>) -> Migrated {
        let stage = self.migrated.stage;
        match halted {
            None => {}
            Some(Halt::Gone(side)) => self.migrated.sides.push(side),
            Some(Halt::Refused(side, message)) => {
                self.migrated.sides.push(side);
                self.migrated.message = message;
            }
        }
        self.migrated.sides.sort();
        self.migrated.sides.dedup();
        let own = self.migrated.sides.clone();
        if let Some(source) = self.source.take() {
            let over = own.contains(&Side::Source) && self.migrated.message.is_empty();
            let finished = if over { source.finish() } else { source.kill() };
            self.migrated.source = Some(finished.into());
        }
        if let Some(destination) = self.destination.take() {
            let over = own.contains(&Side::Destination) && self.migrated.message.is_empty();
            let finished = match stage {
                Stage::Quit => destination.quit(),
                // Its stream has ended: it says what it made of that, and ends.
                Stage::Stream if self.receiving => destination.finish(),
                _ if over => destination.finish(),
                _ => {
                    self.keep_partial(&destination);
                    destination.kill()
                }
            };
            let quit = stage == Stage::Quit && finished.ending == exit_ok();
            if quit {
                self.migrated.stage = Stage::Done;
            }
            self.migrated.destination = Some(finished.into());
        }
        self.migrated
    }

    fn keep_partial(&mut self, destination: &Machine) {
        if self.migrated.stage == Stage::DumpAgain {
            self.migrated.after = destination.memory.slots();
        }
    }
}

fn exit_ok() -> Ending {
    Ending::Exited(crate::vmm::guest::exit_status(
        fidelity_protocol::config::EXIT_OK,
    ))
}

fn machine(machine: &mut Option<Machine>, side: Side) -> Result<&mut Machine, Halt> {
    machine.as_mut().ok_or(Halt::Gone(side))
}

fn asked(answer: Result<Result<Value, String>, Gone>, side: Side) -> Result<Value, Halt> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(message)) => Err(Halt::Refused(side, message)),
        Err(Gone) => Err(Halt::Gone(side)),
    }
}

/// The status with which a migration is over, of QEMU's event MIGRATION (qapi/migration.json).
fn ended(event: &Value) -> Option<String> {
    let status = event["data"]["status"].as_str()?;
    let over =
        event["event"] == "MIGRATION" && ["completed", "failed", "cancelled"].contains(&status);
    over.then(|| status.to_owned())
}

fn named(name: &str) -> impl Fn(&Value) -> Option<()> {
    move |event| (event["event"] == name).then_some(())
}

/// `None` where it has not counted yet, which 7.2 and older often have not.
fn statistics(answer: &Value) -> Option<Statistics> {
    let number = |value: &Value| value.as_u64().filter(|number| *number > 0);
    Some(Statistics {
        total_ms: number(&answer["total-time"])?,
        downtime_ms: answer["downtime"].as_u64()?,
        ram_bytes: number(&answer["ram"]["transferred"])?,
    })
}

/// Plugs in the first vCPU that there is room for. What it is like stands in the machine's `-cpu`.
fn plug(destination: &mut Machine) -> Result<(), Halt> {
    let side = Side::Destination;
    destination.extend();
    let slots = asked(
        destination.execute("query-hotpluggable-cpus", json!({})),
        side,
    )?;
    let free = |slot: &&Value| slot["qom-path"].is_null();
    // QEMU lists them from the last to the first.
    let slot = slots.as_array().into_iter().flatten().rev().find(free);
    let Some(slot) = slot else {
        let message = "there is no room for a further vCPU: -smp has no maxcpus above its count";
        return Err(Halt::Refused(side, message.to_owned()));
    };
    let mut arguments = slot["props"].clone();
    arguments["driver"] = slot["type"].clone();
    arguments["id"] = json!("plugged");
    asked(destination.execute("device_add", arguments), side)?;
    Ok(())
}
