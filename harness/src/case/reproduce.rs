//! The command line of this program that shows again what a trial found of a case, on another day and in another folder.

use super::guest::{Case, SUPPORTED};
use super::lane::{Lane, Starter};
use super::migration::{Migration, Way};
use super::pair::Pair;
use super::trial::{Subject, Trial};

/// The machine type of what runs on none.
const NO_MACHINE: &str = "-";

/// The options that a run was given beside the choice of its cases, and that it needs again.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Options of every verb, as `--config FILE`.
    pub always: Vec<String>,
    /// Options of what boots a kernel: the configuration that names the QEMU of emulated hosts.
    pub with_kernel: Vec<String>,
    /// Options of `run`, as `--profile nightly`.
    pub to_run: Vec<String>,
}

/// The command; its first argument is the program.
///
/// One guest is checked alone wherever `check` compares with the same as the trial did. What is compared with a file that only the trial
/// knows is run as the trial of its plan.
pub fn command(trial: &Trial, case: &Case) -> Vec<String> {
    let alone = case.machine != NO_MACHINE;
    match &trial.subject {
        Subject::Migration(migration) => migrate(migration, case),
        Subject::Releases(pair) => releases(pair, case),
        Subject::Layers | Subject::Machine if alone => check(case),
        Subject::Whole if alone && compares_whole(case) => check(case),
        Subject::Whole | Subject::Layers | Subject::Machine => run(trial, case),
    }
}

/// `command` with the options that the run was given.
pub fn with(mut command: Vec<String>, given: &Given) -> Vec<String> {
    let Some(verb) = command.get(1) else {
        return command;
    };
    let none = Vec::new();
    let to_run = if verb == "run" { &given.to_run } else { &none };
    let has_kernel = command.iter().any(|argument| argument == "--kernel");
    let with_kernel = if has_kernel {
        &given.with_kernel
    } else {
        &none
    };
    let options = [&given.always, with_kernel, to_run];
    command.extend(options.into_iter().flatten().cloned());
    command
}

/// Of a reproducer, the options that decide on which host, kernel and libvirt its guest runs: two cases of one name differ in them alone.
pub fn place(command: &[String], starter: Starter) -> Vec<&str> {
    let is_one = |option: &str| match option {
        "--config" | "--accel" | "--kernel" | "--modules" | "--cmdline" => true,
        "--lab-host" | "--without" | "--memory" => true,
        "--libvirt" => starter == Starter::Libvirt,
        _ => false,
    };
    let pairs = command.windows(2);
    let pairs = pairs.filter(|pair| is_one(&pair[0]));
    pairs.flatten().map(String::as_str).collect()
}

fn compares_whole(case: &Case) -> bool {
    case.host.is_none() && case.run_as.compares_whole(&case.cpu, case.smp.as_str())
}

fn check(case: &Case) -> Vec<String> {
    // Without a QEMU there is no model: the table is KVM's own, or comes from the file that is named in its place.
    if case.qemu.path.as_os_str().is_empty() {
        let is_own = case.cpu == SUPPORTED;
        let guest = [
            ("--lane", lane_of_check(case).name().to_owned()),
            (if is_own { "--cpu" } else { "--table" }, case.cpu.clone()),
        ];
        return build("check", guest).chain(kernels(case)).collect();
    }
    let guest = [
        ("--qemu", path(&case.qemu.path)),
        ("--lane", lane_of_check(case).name().to_owned()),
        ("--machine", case.machine.clone()),
        ("--cpu", case.cpu.clone()),
        ("--smp", case.smp.as_str().to_owned()),
    ];
    build("check", guest).chain(kernels(case)).collect()
}

/// In a lab a guest without QEMU is one of lane `kvm-direct`, with a kernel.
fn lane_of_check(case: &Case) -> Lane {
    match case.run_as.starter {
        Starter::Harness => Lane::KVM_DIRECT,
        _ => case.lane,
    }
}

fn run(trial: &Trial, case: &Case) -> Vec<String> {
    // What KVM of a kernel offers is a case of its own, without machine type and model.
    let no_guest = case.host.is_some() && case.run_as.starter == Starter::Nobody;
    let named = no_guest || trial.name.split('/').any(|part| part == case.machine);
    let machine = (named && (no_guest || case.machine != NO_MACHINE)).then(|| case.machine.clone());
    let qemu = path(&case.qemu.path);
    let options = [
        (!qemu.is_empty()).then_some(("--qemu", qemu)),
        Some(("--lane", case.lane.name().to_owned())),
        machine.map(|machine| ("--machine", machine)),
        (!no_guest).then(|| ("--cpu", case.cpu.clone())),
        accelerator(case),
    ];
    let options = options.into_iter().flatten();
    build("run", options).chain(kernels(case)).collect()
}

/// Where its lane can run on either accelerator, and this guest runs on the one that is not the lane's first.
fn accelerator(case: &Case) -> Option<(&'static str, String)> {
    let other = case.host.is_none() && case.accelerator() != case.lane.run_as().accelerator;
    other.then(|| ("--accel", case.accelerator().name().to_owned()))
}

fn releases(pair: &Pair, case: &Case) -> Vec<String> {
    let options = [
        ("--lane", case.lane.name().to_owned()),
        ("--machine", case.machine.clone()),
        ("--cpu", case.cpu.clone()),
        ("--smp", case.smp.as_str().to_owned()),
    ];
    let compared = [
        "--compat".to_owned(),
        path(&pair.old.path),
        path(&pair.new.path),
    ];
    build("run", options)
        .chain(kernels(case))
        .chain(compared)
        .collect()
}

fn migrate(migration: &Migration, case: &Case) -> Vec<String> {
    let journey = &migration.journey;
    let guest = [
        ("--from", path(&case.qemu.path)),
        ("--to", path(&migration.to.path)),
        ("--lane", case.lane.name().to_owned()),
        ("--machine", case.machine.clone()),
        ("--cpu", case.cpu.clone()),
        ("--smp", case.smp.as_str().to_owned()),
    ];
    let flags = [
        (journey.way == Way::File, "--save"),
        (journey.plug, "--plug"),
        (journey.reset, "--reset"),
    ];
    let flags = flags.into_iter().filter(|(wanted, _)| *wanted);
    let flags = flags.map(|(_, flag)| flag.to_owned());
    build("migrate", guest)
        .chain(flags)
        .chain(kernels(case))
        .collect()
}

fn build(
    verb: &str,
    options: impl IntoIterator<Item = (&'static str, String)>,
) -> impl Iterator<Item = String> {
    let options = options.into_iter();
    let options = options.flat_map(|(option, value)| [option.to_owned(), value]);
    ["cpuid-fidelity".to_owned(), verb.to_owned()]
        .into_iter()
        .chain(options)
}

/// The kernel of the emulated host, with what else makes that host, or of the guest.
fn kernels(case: &Case) -> Vec<String> {
    match &case.host {
        Some(host) if case.linux.is_none() => host.arguments(),
        // A Linux guest runs here where no emulated host is named.
        Some(host) => {
            let named = ["--lab-host".to_owned(), host.emulation.label.clone()];
            let is_default = host.emulation.arguments().is_empty();
            let named = named.into_iter().filter(|_| is_default);
            host.arguments().into_iter().chain(named).collect()
        }
        None => case
            .kernel()
            .map(super::LabKernel::arguments)
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// From the root, so that it is the same in any folder; a name that is looked for in PATH stays one.
fn path(path: &std::path::Path) -> String {
    let bare = path.components().count() < 2 && !path.is_absolute();
    let whole = std::path::absolute(path).ok().filter(|_| !bare);
    whole.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
#[path = "reproduce_tests.rs"]
mod tests;
