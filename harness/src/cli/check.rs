//! `check`: any guest, or any file that holds what one showed, judged by every check whose inputs are there.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::{Lane, Qemu, Starter, Topology};
use cpuid_fidelity::check::registry::of_dump;
use cpuid_fidelity::check::waivers::Scope;
use cpuid_fidelity::check::{Finding, Rules, checked};
use cpuid_fidelity::cpuid::Dump;
use cpuid_fidelity::evidence::Evidence;
use cpuid_fidelity::report::changes::{account, sentence};
use cpuid_fidelity::report::heading;
use cpuid_fidelity::results::Status;
use cpuid_fidelity::run::check::check;
use cpuid_fidelity::util::limits::RECORD;
use cpuid_fidelity::util::open;
use cpuid_fidelity::util::printable::line;

use super::common::kernel::Kernel;
use super::common::place::{self, Guest};
use super::common::qemu::{offered, one_qemu};
use super::{Context, NotRun, print, print_json, print_line};

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Instead of a guest: a record (as `record` writes it) or a dump (as `dump --format json` prints it)
    #[arg(value_name = "FILE", conflicts_with_all = ["machine", "cpu", "lane", "smp", "kernel"])]
    pub file: Option<PathBuf>,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// `-cpu` argument: model and flags
    #[arg(long, value_name = "C", required_unless_present = "file")]
    pub cpu: Option<String>,
    /// How the guest is run. `check`, `dump`, `diff` and `show` take the model's whole definition by themselves; `explain`, `record` and `migrate` take `tcg`,
    /// because a lane that forces features filters none
    #[arg(long, value_enum, default_value_t = Lane::DEFINITION)]
    pub lane: Lane,
    /// `-smp` argument
    #[arg(long, value_name = "S", default_value = "1")]
    pub smp: Topology,
    /// Print the result as one JSON object, as `run --json` writes it
    #[arg(long, conflicts_with = "file")]
    pub json: bool,
    /// Let no waiver count
    #[arg(long)]
    pub no_waivers: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// Judges the guest or the file; the exit status.
pub fn run(context: &Context, arguments: &Check) -> anyhow::Result<u8> {
    match (&arguments.file, &arguments.cpu) {
        (Some(file), _) => of_file(context, file, arguments.no_waivers),
        (None, Some(cpu)) => of_guest(context, arguments, cpu),
        (None, None) => anyhow::bail!("a FILE or --cpu wanted"),
    }
}

fn of_guest(context: &Context, arguments: &Check, cpu: &str) -> anyhow::Result<u8> {
    let without_qemu = arguments.lane.run_as().starter == Starter::Harness && cpu == SUPPORTED;
    let qemu = if without_qemu {
        Qemu::none().into()
    } else {
        let qemu = one_qemu(&context.inventory()?)?;
        offered(&qemu, cpu, &arguments.machine)?;
        qemu
    };
    // Waivers are about versioned names.
    let machine = qemu.offers.versioned(&arguments.machine).to_owned();
    let guest = Guest {
        qemu,
        lane: arguments.lane,
        machine: &machine,
        cpu,
        smp: &arguments.smp,
        kernel: &arguments.kernel,
    };
    let case = place::case(context, &guest)?;
    let engine = context.engine_for(usize::MAX, arguments.no_waivers)?;
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

fn of_file(context: &Context, file: &Path, no_waivers: bool) -> anyhow::Result<u8> {
    let name = file.display();
    let text = open::data_text(file, RECORD).with_context(|| format!("failed to read {name}"))?;
    let store = &context.store;
    let found = if Evidence::is_record(&text) {
        let record = Evidence::parse(file, &text)?;
        print(&heading::comments(
            &heading::recorded(&record.case),
            record.case.lane,
        ));
        let rules = Rules {
            table: &store.table,
            linux: Some(&store.linux),
        };
        let found = checked(&record, rules).with_context(|| name.to_string())?;
        if no_waivers {
            found
        } else {
            left(context, &record, found)
        }
    } else {
        let dump: Dump = serde_json::from_str(&text)
            .with_context(|| format!("{name} is neither a record nor a dump in JSON"))?;
        if !dump.shows_anything() {
            let reason = format!("nothing was compared: {name} has no answer of CPUID");
            return Err(NotRun(reason).into());
        }
        of_dump(&dump, &store.table)
    };
    let lines = found
        .iter()
        .map(|finding| format!("FAIL {} (layer: {})", sentence(finding), finding.layer))
        .map(|shown| format!("{}\n", line(&shown)));
    print(&lines.collect::<String>());
    if found.is_empty() {
        print_line(&format!("PASS {name}"));
    }
    Ok(u8::from(!found.is_empty()))
}

/// What no waiver covers.
fn left(context: &Context, record: &Evidence, found: Vec<Finding>) -> Vec<Finding> {
    let case = &record.case;
    let label = format!("qemu-{}", case.qemu);
    let scope = Scope {
        lane: case.lane.name(),
        qemu: &label,
        machine: &case.machine,
        cpu: &case.cpu,
        smp: &case.smp,
        case: "",
    };
    context.store.waivers.cover(&scope, &found).left
}
