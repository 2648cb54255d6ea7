//! The command line of this program that shows again what a trial found of a case, on another day and in another folder.

use super::guest::Case;
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
    let to_run = if verb == "run" {
        given.to_run.as_slice()
    } else {
        &[]
    };
    command.extend(given.always.iter().chain(to_run).cloned());
    command
}

fn compares_whole(case: &Case) -> bool {
    case.host.is_none() && case.run_as.compares_whole(&case.cpu, case.smp.as_str())
}

fn check(case: &Case) -> Vec<String> {
    let guest = [
        ("--qemu", path(&case.qemu.path)),
        ("--lane", case.lane.name().to_owned()),
        ("--machine", case.machine.clone()),
        ("--cpu", case.cpu.clone()),
        ("--smp", case.smp.as_str().to_owned()),
    ];
    build("check", guest).chain(kernels(case)).collect()
}

fn run(trial: &Trial, case: &Case) -> Vec<String> {
    let named = trial.name.split('/').any(|part| part == case.machine);
    let machine = (named && case.machine != NO_MACHINE).then(|| case.machine.clone());
    let qemu = path(&case.qemu.path);
    let options = [
        (!qemu.is_empty()).then_some(("--qemu", qemu)),
        Some(("--lane", case.lane.name().to_owned())),
        machine.map(|machine| ("--machine", machine)),
        Some(("--cpu", case.cpu.clone())),
    ];
    build("run", options.into_iter().flatten()).collect()
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
    build("run", options).chain(compared).collect()
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

/// The kernel of the emulated host, or of the guest.
fn kernels(case: &Case) -> impl Iterator<Item = String> {
    let host = case.host.iter().map(|host| &host.kernel);
    let kernels = host.chain(case.linux.as_deref());
    kernels
        .flat_map(super::LabKernel::arguments)
        .collect::<Vec<_>>()
        .into_iter()
}

/// From the root, so that it is the same in any folder; a name that is looked for in PATH stays one.
fn path(path: &std::path::Path) -> String {
    let bare = path.components().count() < 2 && !path.is_absolute();
    let whole = std::path::absolute(path).ok().filter(|_| !bare);
    whole.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Lane, Qemu, Topology};
    use std::path::PathBuf;
    use std::sync::Arc;

    fn trial(subject: Subject, lane: Lane, smp: &str) -> Trial {
        let mut qemu = Qemu::none();
        qemu.path = PathBuf::from("/opt/qemu with a space");
        let case = Case {
            smp: smp.parse::<Topology>().expect("a topology"),
            ..Case::new(&Arc::new(qemu), lane, "pc-q35-8.2", "EPYC-v4")
        };
        Trial::single("x/y/-/EPYC-v4".to_owned(), subject, PathBuf::new(), case)
    }

    fn render(trial: &Trial) -> String {
        let given = Given {
            always: vec!["--config".to_owned(), "f.toml".to_owned()],
            to_run: vec!["--profile".to_owned(), "nightly".to_owned()],
        };
        let command = with(command(trial, &trial.cases[0]), &given);
        crate::util::shell::pasteable(&command)
    }

    #[test]
    fn a_reproducer_has_all_that_its_guest_needs() {
        let qemu = "--qemu '/opt/qemu with a space'";
        for (subject, lane, smp, wanted) in [
            (
                Subject::Whole,
                Lane::DEFINITION,
                "1",
                format!(
                    "check {qemu} --lane definition --machine pc-q35-8.2 --cpu EPYC-v4 --smp 1"
                ),
            ),
            (
                Subject::Layers,
                Lane::TCG,
                "4,cores=2",
                format!(
                    "check {qemu} --lane tcg --machine pc-q35-8.2 --cpu EPYC-v4 --smp 4,cores=2"
                ),
            ),
            (
                Subject::Whole,
                Lane::TCG,
                "1",
                format!("run {qemu} --lane tcg --cpu EPYC-v4"),
            ),
        ] {
            let profile = if wanted.starts_with("run") {
                " --profile nightly"
            } else {
                ""
            };
            let wanted = format!("cpuid-fidelity {wanted} --config f.toml{profile}");
            assert_eq!(render(&trial(subject, lane, smp)), wanted);
        }
    }

    #[test]
    fn a_migration_is_migrated_again() {
        let mut to = Qemu::none();
        to.path = PathBuf::from("/to");
        let mut migration = Migration {
            to: Arc::new(to),
            journey: Default::default(),
        };
        migration.journey.way = Way::File;
        let trial = trial(Subject::Migration(migration), Lane::TCG, "1");
        let command = crate::util::shell::pasteable(&command(&trial, &trial.cases[0]));
        let wanted = "cpuid-fidelity migrate --from '/opt/qemu with a space' --to /to --lane tcg --machine pc-q35-8.2 --cpu EPYC-v4 --smp 1 --save";
        assert_eq!(command, wanted);
    }
}
