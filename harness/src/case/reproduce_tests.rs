//! What reproducers say, a case each.

use super::*;
use crate::case::{
    Accelerator, EmulatedHost, Emulation, LabKernel, Lane, Processor, Qemu, Starter, Topology,
};
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
        with_kernel: vec!["--config".to_owned(), "found.toml".to_owned()],
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
            format!("check {qemu} --lane definition --machine pc-q35-8.2 --cpu EPYC-v4 --smp 1"),
        ),
        (
            Subject::Layers,
            Lane::TCG,
            "4,cores=2",
            format!("check {qemu} --lane tcg --machine pc-q35-8.2 --cpu EPYC-v4 --smp 4,cores=2"),
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

fn kernel() -> LabKernel {
    LabKernel {
        label: "linux-6.12+clearcpuid=avx2".to_owned(),
        release: "6.12.1".to_owned(),
        path: PathBuf::from("/kernels/6.12"),
        modules: None,
        parameters: vec!["clearcpuid=avx2".to_owned(), "kvm_amd.nested=0".to_owned()],
        expectations: PathBuf::new(),
    }
}

/// What names that kernel, and the file in which the QEMU is named that emulates a host.
const KERNEL: &str = "--kernel /kernels/6.12 --cmdline 'clearcpuid=avx2 kvm_amd.nested=0'";
const GIVEN: &str = "--config f.toml --config found.toml --profile nightly";

fn in_lab(starter: Starter, machine: &str) -> Case {
    let mut case = trial(Subject::Layers, Lane::LAB, "1").cases.remove(0);
    machine.clone_into(&mut case.machine);
    case.run_as.starter = starter;
    case.host = Some(Arc::new(EmulatedHost {
        emulation: Emulation {
            label: "amd".to_owned(),
            emulator: "svm".to_owned(),
            program: Arc::new(Qemu::none()),
            processor: Processor::default(),
        },
        kernel: kernel(),
        megabytes: Some(2048),
    }));
    case
}

fn trial_of(subject: Subject, case: Case) -> Trial {
    Trial::single("x/y/EPYC-v4".to_owned(), subject, PathBuf::new(), case)
}

#[test]
fn a_linux_guest_is_run_again_with_its_kernel_and_its_words_and_its_accelerator() {
    let mut case = trial(Subject::Whole, Lane::LINUX, "1").cases.remove(0);
    case.linux = Some(Arc::new(kernel()));
    let qemu = "--qemu '/opt/qemu with a space'";
    let wanted = |accel: &str| {
        format!("cpuid-fidelity run {qemu} --lane linux --cpu EPYC-v4{accel} {KERNEL} {GIVEN}")
    };
    assert_eq!(render(&trial_of(Subject::Whole, case.clone())), wanted(""));
    case.run_as.accelerator = Accelerator::Kvm;
    assert_eq!(
        render(&trial_of(Subject::Whole, case)),
        wanted(" --accel kvm")
    );
}

#[test]
fn what_kvm_offers_is_asked_again_without_a_guest() {
    let mut case = in_lab(Starter::Nobody, "-");
    case.qemu = Arc::new(Qemu::none());
    let wanted =
        format!("cpuid-fidelity run --lane lab --machine - {KERNEL} --memory 2048 {GIVEN}");
    assert_eq!(render(&trial_of(Subject::Whole, case)), wanted);
}

#[test]
fn a_guest_in_a_lab_is_checked_again_in_the_same_way() {
    let given = GIVEN.replace(" --profile nightly", "");
    for (starter, lane) in [(Starter::Qemu, "lab"), (Starter::Harness, "kvm-direct")] {
        let wanted = format!(
            "cpuid-fidelity check --qemu '/opt/qemu with a space' --lane {lane} --machine pc-q35-8.2 --cpu EPYC-v4 --smp 1 \
             {KERNEL} --memory 2048 {given}"
        );
        let trial = trial_of(Subject::Layers, in_lab(starter, "pc-q35-8.2"));
        assert_eq!(render(&trial), wanted);
    }
}

#[test]
fn releases_are_compared_again_in_the_lab_of_the_same_kernel() {
    let binary = |path: &str| {
        let mut qemu = Qemu::none();
        qemu.path = PathBuf::from(path);
        Arc::new(qemu)
    };
    let pair = Pair {
        old: binary("/old"),
        new: binary("/new"),
    };
    let trial = trial_of(
        Subject::Releases(Arc::new(pair)),
        in_lab(Starter::Qemu, "pc-q35-8.2"),
    );
    let wanted = format!(
        "cpuid-fidelity run --lane lab --machine pc-q35-8.2 --cpu EPYC-v4 --smp 1 {KERNEL} --memory 2048 --compat /old /new {GIVEN}"
    );
    assert_eq!(render(&trial), wanted);
}
