//! `dump`: what one guest sees.

use cpuid_fidelity::case::guest::SUPPORTED;
use cpuid_fidelity::case::{Accelerator, Case, Lane, Qemu, Starter};
use cpuid_fidelity::cpuid::behaviour::with_behaviour;
use cpuid_fidelity::cpuid::dump::Dump as Seen;
use cpuid_fidelity::cpuid::line::Register;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::describe;
use cpuid_fidelity::evidence::linux_lines::{linux, value};
use cpuid_fidelity::evidence::linux_report::LinuxReport;
use cpuid_fidelity::host::native;
use cpuid_fidelity::input::writers;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::verdict::text;
use cpuid_fidelity::util::near::hint;
use cpuid_fidelity::util::printable::json;
use cpuid_fidelity::vmm::guest::Options;
use fidelity_protocol::config::MAX_RANGES;
use fidelity_protocol::frame::{MODE_LINUX, Phase};

use super::arguments::{Dump, DumpFormat, View};
use super::view;
use crate::cli::common::described::descriptions;
use crate::cli::common::exit::{NOT_RUN, print};
use crate::cli::common::given;
use crate::cli::common::place::{self, Guest};
use crate::cli::common::qemu::one_qemu;
use crate::cli::common::subject::{self, Subject};
use crate::cli::context::Context;

/// Boots the guest and prints its dump, as far as it goes; the exit status.
pub fn run(context: &Context, arguments: &Dump) -> anyhow::Result<u8> {
    if arguments.host && arguments.human {
        print(&human(context, &subject::host()?));
        return Ok(0);
    }
    if arguments.host {
        if arguments.format == DumpFormat::Text {
            print("# this host, without a guest: CPUID of one of its processors\n");
        }
        print(&shown(context, arguments, &native::this_processor()));
        return Ok(0);
    }
    let case = case(context, arguments)?;
    let options = options(context, arguments)?;
    let engine = context.engine()?;
    match arguments.view {
        View::Guest => {}
        View::Qemu if arguments.human => {
            anyhow::bail!("--human goes with --view guest and --view kvm")
        }
        View::Kvm if arguments.human => {
            print(&human(context, &view::offered(&engine, &case)?));
            return Ok(0);
        }
        View::Qemu => return view::run(&engine, &case, &options, arguments.format),
        View::Kvm => return view::kvm(context, &engine, &case, arguments.format),
    }
    let observed = match &arguments.table {
        Some(file) => {
            let table = given::table(file)?;
            let bench = &engine.bench;
            bench
                .pool()
                .install(|| bench.boot_table(&case, &table, &options))
        }
        None => engine.boot(&case, &options),
    };
    match observed {
        Ok(observation) => {
            print_seen(context, arguments, &case, &observation.dump);
            Ok(0)
        }
        Err(broken) => {
            if !broken.partial.vcpus.is_empty() {
                print_seen(context, arguments, &case, &broken.partial);
            }
            let Case {
                qemu,
                lane,
                machine,
                cpu,
                ..
            } = &case;
            note!(
                "ERROR {lane}/{}/{machine}/{cpu}: {}",
                qemu.label,
                broken.reason
            );
            Ok(NOT_RUN)
        }
    }
}

fn print_seen(context: &Context, arguments: &Dump, case: &Case, dump: &Seen) {
    if arguments.human {
        print(&human(context, &subject::of_guest(case, dump)));
    } else {
        print(&header(arguments, case));
        print(&shown(context, arguments, dump));
    }
}

fn human(context: &Context, subject: &Subject) -> String {
    describe::text(&descriptions(context, subject))
}

/// Which guest it is, in comments, so that the dump can be read back. The other formats are other programs' own.
fn header(arguments: &Dump, case: &Case) -> String {
    match arguments.format {
        DumpFormat::Text => heading::comments(&heading::guest(case), case.lane),
        DumpFormat::Cpudata => writers::comment(&heading::guest(case)),
        _ => String::new(),
    }
}

fn case(context: &Context, arguments: &Dump) -> anyhow::Result<Case> {
    let lane = match arguments.view {
        View::Kvm => Lane::KVM_DIRECT,
        _ => arguments.lane,
    };
    let alone = lane.run_as().starter == Starter::Harness;
    if arguments.table.is_some() && !alone {
        anyhow::bail!("--table goes with --lane kvm-direct");
    }
    let given = arguments.table.is_some() || arguments.cpu == SUPPORTED;
    let no_qemu =
        arguments.view == View::Kvm || given && lane.run_as().accelerator == Accelerator::Kvm;
    let qemu = if no_qemu {
        Qemu::none().into()
    } else {
        one_qemu(&context.inventory()?)?
    };
    let file = arguments
        .table
        .as_ref()
        .map(|file| file.display().to_string());
    let guest = Guest {
        qemu,
        lane,
        machine: &arguments.machine,
        cpu: file.as_ref().unwrap_or(&arguments.cpu),
        smp: &arguments.smp,
        kernel: &arguments.kernel,
    };
    place::case(context, &guest)
}

fn options(context: &Context, arguments: &Dump) -> anyhow::Result<Options> {
    let mut options = context.options.clone();
    for name in &arguments.skip_phase {
        let known = Phase::ALL.into_iter().find(|phase| phase.name() == name);
        let Some(phase) = known else {
            let names = Phase::ALL.map(Phase::name);
            let near = hint(name, names.into_iter());
            anyhow::bail!("no phase “{name}”; there are {}{near}", names.join(", "));
        };
        options.phases.retain(|kept| *kept != phase);
    }
    if !arguments.sweep_msrs.is_empty() {
        options.phases.push(Phase::Sweep);
        options.sweep = joined(&arguments.sweep_msrs);
        if options.sweep.len() > MAX_RANGES {
            anyhow::bail!("at most {MAX_RANGES} ranges of MSRs can be swept at once");
        }
    }
    options.probe_1f = arguments.probe_1f;
    Ok(options)
}

/// The same indices in ascending ranges, each index once.
fn joined(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let touches = next.0 <= before.1.saturating_add(1);
        if touches {
            before.1 = before.1.max(next.1);
        }
        touches
    });
    ranges
}

fn shown(context: &Context, arguments: &Dump, dump: &Seen) -> String {
    let none = Volatile::default();
    let volatile = if arguments.masked {
        &context.store.volatile
    } else {
        &none
    };
    match arguments.format {
        DumpFormat::Text if dump.mode == MODE_LINUX => linux_text(context, volatile, dump),
        DumpFormat::Text => {
            let lines = with_behaviour(dump, &context.store.table, volatile);
            format!("{}\n", text(&lines))
        }
        DumpFormat::Raw => writers::raw(dump),
        DumpFormat::InstLatx64 => writers::instlatx64(dump),
        DumpFormat::Kcpuid => writers::kcpuid(dump),
        DumpFormat::Cpudata => writers::cpudata(dump),
        DumpFormat::Json => format!("{}\n", json(&writers::json(dump))),
    }
}

/// What a Linux guest's kernel made of its processors, the lines of its log that are about them, then CPUID and MSRs.
fn linux_text(context: &Context, volatile: &Volatile, dump: &Seen) -> String {
    let Some(report) = LinuxReport::from_dump(dump) else {
        return format!("{}\n", text(&render(dump, &context.store.table, volatile)));
    };
    let about = [
        value(Register::Linux, "release", &report.release),
        value(
            Register::Linux,
            "command-line",
            &report.command_line.join(" "),
        ),
    ];
    let own = linux(&report, volatile);
    let registers = with_behaviour(dump, &context.store.table, volatile);
    let log = report.log.iter().map(|line| format!("# {line}"));
    let lines = about.iter().chain(&own).chain(&registers);
    let lines = lines.map(ToString::to_string).chain(log);
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn ranges_that_touch_are_swept_once() {
        assert_eq!(
            joined(&[(0x480, 0x493), (0, 0x10), (0x8, 0x20), (0x21, 0x30)]),
            [(0, 0x30), (0x480, 0x493)]
        );
        assert_eq!(joined(&[(0, u32::MAX), (5, 6)]), [(0, u32::MAX)]);
    }
}
