//! `check`: any guest, or any file that holds what one showed, judged by every check whose inputs are there.

mod files;

use clap::Args;
use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::{Lane, Qemu, Starter, Topology};
use cpuid_fidelity::report::changes::account;
use cpuid_fidelity::results::Status;
use cpuid_fidelity::run::check::check;

use super::common::kernel::Kernel;
use super::common::place::{self, Guest};
use super::common::qemu::{offered, one_qemu};
use super::{Context, print, print_json, print_line};

/// The machine type where none is named.
const MACHINE: &str = "q35";

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Instead of a guest: files of any format, FILE#2 for the second dump of one, - for standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
    /// The files are of a guest of QEMU's, with the -cpu, -smp and -machine that are named: its identity, topology and promise too
    #[arg(long, requires_all = ["files", "cpu"])]
    pub guest: bool,
    /// With --guest: the release of QEMU [default: the newest that is recorded]
    #[arg(long, value_name = "R", requires = "guest")]
    pub release: Option<String>,
    /// Machine type [default: q35]
    #[arg(long, value_name = "M")]
    pub machine: Option<String>,
    /// `-cpu` argument: model and flags
    #[arg(long, value_name = "C", required_unless_present = "files")]
    pub cpu: Option<String>,
    /// How the guest is run [default: definition]
    #[arg(long, value_enum, conflicts_with = "files")]
    pub lane: Option<Lane>,
    /// `-smp` argument [default: 1]
    #[arg(long, value_name = "S")]
    pub smp: Option<Topology>,
    /// Print the result as one JSON object, as `run --json` writes it; of files, a JSON line for each dump
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Judges the guest or the files; the exit status.
pub fn run(context: &Context, arguments: &Check) -> anyhow::Result<u8> {
    match &arguments.cpu {
        _ if !arguments.files.is_empty() => files::run(context, arguments),
        Some(cpu) => of_guest(context, arguments, cpu),
        None => anyhow::bail!("a FILE or --cpu wanted"),
    }
}

fn of_guest(context: &Context, arguments: &Check, cpu: &str) -> anyhow::Result<u8> {
    let lane = arguments.lane.unwrap_or(Lane::DEFINITION);
    let machine = arguments.machine.as_deref().unwrap_or(MACHINE);
    let smp = arguments.smp.clone().unwrap_or_else(Topology::single);
    let without_qemu = lane.run_as().starter == Starter::Harness && cpu == SUPPORTED;
    let qemu = if without_qemu {
        Qemu::none().into()
    } else {
        let qemu = one_qemu(&context.inventory()?)?;
        offered(&qemu, cpu, machine)?;
        qemu
    };
    // Waivers are about versioned names.
    let machine = qemu.offers.versioned(machine).to_owned();
    let guest = Guest {
        qemu,
        lane,
        machine: &machine,
        cpu,
        smp: &smp,
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine()?;
    let checked = check(&engine, &case);
    let row = &checked.row;
    if arguments.json {
        print_json(&serde_json::to_string(row)?);
    } else if row.status == Status::Pass {
        let with = match &checked.promised {
            Some(source) => format!("as {source} has it, and all layers agree"),
            None => "all layers agree; no expectation was recorded of the model".to_owned(),
        };
        print_line(&format!("PASS {}: {with}", row.case));
    } else {
        print(&account(row));
    }
    Ok(row.status.exit_status())
}
