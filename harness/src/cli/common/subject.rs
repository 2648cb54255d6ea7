//! What a verb looks at, named in one way: a file, a recorded CPU model, this host, or a guest that is booted for it.

mod host;
mod kvm;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use cpuid_fidelity::case::guest::HOST;
use cpuid_fidelity::case::{Case, Lane, Qemu, Topology};
use cpuid_fidelity::cpuid::{Dump, Table};
use cpuid_fidelity::evidence::Promised;
use cpuid_fidelity::expectation::whole::{Wanted, WantedError, Whole, resolved_release, whole};
use cpuid_fidelity::host::KvmLayer;
use cpuid_fidelity::input::{Format, Input, read};
use cpuid_fidelity::report::heading;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::util::open;

use super::exit::NotRun;
use super::kernel::Kernel;
use super::place::{self, Guest};
use super::qemu::{offered, one_qemu};
use crate::cli::context::Context;

/// What was named.
#[derive(Clone, Debug)]
pub struct Subject {
    /// One line that says what it is.
    pub title: String,
    /// The dumps in it, at least one.
    pub inputs: Vec<Input>,
    /// Whether it was read from a file, whose format is worth saying.
    pub is_file: bool,
}

/// Which of the recorded expectations of a CPU model is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recorded<'a> {
    /// `11.1` or `qemu-11.1`; `None`: the newest.
    pub release: Option<&'a str>,
    /// A machine type other than the newest.
    pub machine: Option<&'a str>,
    /// The lane; `None`: `definition`.
    pub lane: Option<Lane>,
}

/// A guest to boot.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// The `-cpu` argument.
    pub cpu: &'a str,
    /// The `-machine` argument; `None`: `q35`.
    pub machine: Option<&'a str>,
    /// The lane; `None`: `definition`.
    pub lane: Option<Lane>,
    /// The `-smp` argument.
    pub smp: &'a Topology,
    /// The kernel, and on which machine.
    pub kernel: &'a Kernel,
}

impl Subject {
    /// The only dump.
    ///
    /// # Errors
    /// There are several; all are listed as they can be named.
    pub fn only(mut self) -> anyhow::Result<Input> {
        let last = self.inputs.pop();
        match last {
            Some(only) if self.inputs.is_empty() => Ok(only),
            last => {
                let all = self.inputs.iter().chain(&last);
                bail!("{}", several(&self.title, all))
            }
        }
    }

    fn of_one(title: String, input: Input) -> Subject {
        Subject {
            title,
            inputs: vec![input],
            is_file: false,
        }
    }
}

fn several<'a>(title: &str, inputs: impl Iterator<Item = &'a Input>) -> String {
    let named = (1..).zip(inputs).map(|(number, input)| {
        let about = input.title.as_deref().unwrap_or(input.format.name());
        format!("\n  {title}#{number}  {about}")
    });
    let named: Vec<String> = named.collect();
    let dumps = match named.len() {
        1 => "one dump".to_owned(),
        count => format!("{count} dumps"),
    };
    format!("{title} has {dumps}; what can be named:{}", named.concat())
}

/// A file (`-`: standard input; `FILE#2`: its second dump), else a recorded CPU model.
///
/// # Errors
/// There is neither, with the nearest names; or it cannot be read.
pub fn named(context: &Context, name: &str, recorded: &Recorded<'_>) -> anyhow::Result<Subject> {
    if is_file(name) {
        let inputs = file(context, name)?;
        return Ok(Subject {
            title: name.to_owned(),
            inputs,
            is_file: true,
        });
    }
    if let Some((path, number)) = numbered(name) {
        let inputs = file(context, path)?;
        return chosen(name, path, number, inputs);
    }
    if is_path(name) {
        bail!("failed to read {name}: no such file{}", near_files(name));
    }
    model(context, name, recorded)
}

/// Whether a name is one of a file, be it there or not.
pub fn is_path(name: &str) -> bool {
    is_file(name) || numbered(name).is_some() || name.contains('/') || has_extension(name)
}

/// `dump.json`: no CPU model has a dot in its name.
fn has_extension(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|extension| !extension.is_empty())
}

/// A folder is no file, so that a folder with the name of a model is not in its way.
fn is_file(name: &str) -> bool {
    name == "-" || std::fs::metadata(name).is_ok_and(|about| !about.is_dir())
}

/// `FILE#2` → `FILE`, 2, where there is such a file.
fn numbered(name: &str) -> Option<(&str, usize)> {
    let (path, number) = name.rsplit_once('#')?;
    let number = number.parse().ok()?;
    is_file(path).then_some((path, number))
}

fn chosen(
    name: &str,
    path: &str,
    number: usize,
    mut inputs: Vec<Input>,
) -> anyhow::Result<Subject> {
    if !(1..=inputs.len()).contains(&number) {
        bail!("{}", several(path, inputs.iter()));
    }
    let input = inputs.swap_remove(number - 1);
    Ok(Subject {
        is_file: true,
        ..Subject::of_one(name.to_owned(), input)
    })
}

/// The dumps of a file; an expectation is expanded by its base first.
fn file(context: &Context, name: &str) -> anyhow::Result<Vec<Input>> {
    let failed = || format!("failed to read {name}");
    let path = Path::new(name);
    let bytes = open::data(path, RECORD).with_context(failed)?;
    let inputs = read(&bytes, &context.store.table).with_context(failed)?;
    let expanded = inputs.into_iter().map(|input| match &input.based {
        Some(content) => {
            let text = context.store.files.expand(path, content.clone())?;
            of_lines(&text, &context.store.table).with_context(failed)
        }
        None => Ok(input),
    });
    expanded.collect()
}

/// What lines of an expectation say, placeholders aside.
fn of_lines(text: &str, table: &Table) -> anyhow::Result<Input> {
    let shown = |input: &Input| input.dump().is_some_and(|dump| dump.shows_anything());
    let input = read(text.as_bytes(), table)?.pop().filter(shown);
    input.context("it has no CPUID of a whole processor: only changes, or words of a kernel")
}

fn near_files(name: &str) -> String {
    let path = Path::new(name);
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter();
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    let names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    let wanted = path.file_name().and_then(|name| name.to_str());
    hint(wanted.unwrap_or_default(), names.iter().map(String::as_str))
}

/// A CPU model as it was recorded.
///
/// # Errors
/// There is none, with the nearest names.
pub fn model(context: &Context, name: &str, recorded: &Recorded<'_>) -> anyhow::Result<Subject> {
    let Whole { release, text } = expanded(context, name, recorded)?;
    let lane = heading::lane(recorded.lane.unwrap_or(Lane::DEFINITION));
    let machine = recorded.machine.map(|machine| format!(" on {machine}"));
    let machine = machine.unwrap_or_default();
    let title = format!("CPU model {name}{machine}, recorded of {release}, {lane}");
    let mut input =
        of_lines(&text, &context.store.table).with_context(|| format!("failed to read {title}"))?;
    input.title = Some(title.clone());
    Ok(Subject::of_one(title, input))
}

/// The whole expectation of a CPU model, in lines.
///
/// # Errors
/// There is none, with the nearest names.
pub fn expanded(context: &Context, name: &str, recorded: &Recorded<'_>) -> anyhow::Result<Whole> {
    let wanted = wanted(name, recorded)?;
    whole(&context.store, &wanted).map_err(|error| explained(name, error))
}

/// What is asked of the expectations; an error where the lane has none of models.
fn wanted<'a>(model: &'a str, recorded: &Recorded<'a>) -> anyhow::Result<Wanted<'a>> {
    let lane = recorded.lane.unwrap_or(Lane::DEFINITION);
    if ![Lane::DEFINITION, Lane::TCG].contains(&lane) {
        bail!(
            "CPU models are recorded in lanes definition and tcg, and not in {lane}: boot a guest with --cpu {model} --lane {lane}"
        );
    }
    Ok(Wanted {
        model,
        release: recorded.release,
        machine: recorded.machine,
        tcg: lane == Lane::TCG,
    })
}

/// The release of QEMU that is meant, `11.1`, and what the model of a `-cpu` argument was promised there; `None` of `host` and `max`.
///
/// # Errors
/// There is no such model, machine type or release, with the nearest names.
pub fn promised(
    context: &Context,
    cpu: &str,
    recorded: &Recorded<'_>,
) -> anyhow::Result<(String, Option<Promised>)> {
    let model = cpu.split(',').next().unwrap_or(cpu);
    let folder = resolved_release(&context.store, &wanted(model, recorded)?)?;
    let release = folder.trim_start_matches("qemu-").to_owned();
    if [HOST, "max"].contains(&model) {
        return Ok((release, None));
    }
    let of_model = Recorded {
        machine: None,
        ..*recorded
    };
    whole(&context.store, &wanted(model, &of_model)?)?;
    let machine = recorded.machine.unwrap_or("q35");
    let promised = context.store.promised(&folder, machine, model)?;
    Ok((release, Some(promised)))
}

/// Where the model is what is unknown, it may have been meant as a file.
fn explained(name: &str, error: WantedError) -> anyhow::Error {
    let is_model = matches!(&error, WantedError::Unknown { name: unknown, .. } if unknown == name);
    if is_model {
        anyhow::anyhow!("no file {name}, and {error}")
    } else {
        error.into()
    }
}

/// This host: CPUID of each processor, and feature MSRs as far as they can be read.
pub fn host() -> anyhow::Result<Subject> {
    let input = host::input();
    if input.cpus.is_empty() {
        return Err(NotRun("no processor of this host could be asked".to_owned()).into());
    }
    let title = input.title.clone().unwrap_or_default();
    Ok(Subject::of_one(title, input))
}

/// What KVM offers its guests, of this host or of the emulated one that a kernel is named for.
///
/// # Errors
/// KVM cannot be used, or the emulated host does not come up.
pub fn kvm(context: &Context, kernel: &Kernel) -> anyhow::Result<Subject> {
    let case = kvm::case(context, kernel)?;
    let layer = context.engine()?.bench.kvm_layer(&case).map_err(NotRun)?;
    Ok(of_kvm(&case, &layer))
}

/// The same of what KVM said.
pub fn of_kvm(case: &Case, layer: &KvmLayer) -> Subject {
    let input = kvm::input(case, layer);
    Subject::of_one(input.title.clone().unwrap_or_default(), input)
}

/// A guest that is booted now, under the QEMU that `--qemu` names or the newest.
///
/// # Errors
/// The QEMU has no such model or machine type; the guest could not be run.
pub fn guest(context: &Context, live: &Live<'_>) -> anyhow::Result<Subject> {
    let qemu = one_qemu(&context.inventory()?)?;
    let case = case(context, live, qemu)?;
    let booted = context.engine()?.boot(&case, &context.options);
    let observation = booted.map_err(|broken| NotRun(broken.reason))?;
    Ok(of_guest(&case, &observation.dump))
}

/// What a guest saw.
pub fn of_guest(case: &Case, dump: &Dump) -> Subject {
    let title = format!("guest {}", heading::guest(case));
    let mut input = Input::of_dump(Format::Dump, dump.clone());
    input.title = Some(title.clone());
    Subject::of_one(title, input)
}

fn case(context: &Context, live: &Live<'_>, qemu: Arc<Qemu>) -> anyhow::Result<Case> {
    let machine = live.machine.unwrap_or("q35");
    offered(&qemu, live.cpu, machine)?;
    let guest = Guest {
        qemu,
        lane: live.lane.unwrap_or(Lane::DEFINITION),
        machine,
        cpu: live.cpu,
        smp: live.smp,
        kernel: live.kernel,
    };
    place::case(context, &guest)
}
