//! `show`: one description of each dump.

use cpuid_fidelity::case::{Lane, Topology};
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::volatile::Volatile;
use cpuid_fidelity::describe;
use cpuid_fidelity::report::heading;
use cpuid_fidelity::run::verdict::text;

use super::arguments::{Show, ShowFormat};
use super::set;
use crate::cli::common;
use crate::cli::common::described::descriptions;
use crate::cli::common::exit::{print, print_json};
use crate::cli::common::subject::{self, Live, Recorded, Subject};
use crate::cli::context::Context;

/// Prints it; the exit status.
pub fn run(context: &Context, arguments: &Show) -> anyhow::Result<u8> {
    if arguments.format == ShowFormat::Lines {
        print(&lines(context, arguments)?);
        return Ok(0);
    }
    let subject = subject(context, arguments)?;
    if let Some(feature) = &arguments.feature {
        return features(context, arguments, &subject, feature);
    }
    let all = descriptions(context, &subject);
    match arguments.format {
        ShowFormat::Json => print_json(&describe::json(&all)?),
        ShowFormat::Markdown => print(&describe::markdown(&all)),
        ShowFormat::Html => print(&describe::html(&all)),
        ShowFormat::Text | ShowFormat::Lines => print(&describe::text(&all)),
    }
    Ok(0)
}

/// Whether it has the features that `name` stands for.
fn features(
    context: &Context,
    arguments: &Show,
    subject: &Subject,
    name: &str,
) -> anyhow::Result<u8> {
    let store = &context.store;
    let wanted = common::feature::features(store, name)?;
    match arguments.format {
        ShowFormat::Json => set::objects(subject, &wanted, &store.table)
            .iter()
            .for_each(|object| print_json(&object.to_string())),
        ShowFormat::Text => print(&set::text(subject, &wanted, &store.table)),
        _ => anyhow::bail!("--feature goes with --format text and --format json"),
    }
    Ok(0)
}

fn subject(context: &Context, arguments: &Show) -> anyhow::Result<Subject> {
    if arguments.kvm {
        return subject::kvm(context, &arguments.kernel);
    }
    let recorded = recorded(arguments);
    match (&arguments.name, &arguments.cpu) {
        (Some(name), _) => subject::named(context, name, &recorded),
        (None, Some(cpu)) => {
            let single = Topology::single();
            let live = Live {
                cpu,
                machine: arguments.machine.as_deref(),
                lane: arguments.lane,
                smp: arguments.smp.as_ref().unwrap_or(&single),
                kernel: &arguments.kernel,
            };
            subject::guest(context, &live)
        }
        (None, None) => subject::host(),
    }
}

fn recorded(arguments: &Show) -> Recorded<'_> {
    Recorded {
        release: arguments.release.as_deref(),
        machine: arguments.machine.as_deref(),
        lane: arguments.lane,
    }
}

/// Of a recorded model with the placeholders that its file has, below which one it is.
fn lines(context: &Context, arguments: &Show) -> anyhow::Result<String> {
    let name = arguments.name.as_deref();
    if let Some(model) = name.filter(|name| !subject::is_path(name)) {
        return expectation(context, model, &recorded(arguments));
    }
    let input = subject(context, arguments)?.only()?;
    let Some(dump) = input.dump() else {
        anyhow::bail!("it has names of features and no registers, of which lines are made");
    };
    let lines = render(&dump, &context.store.table, &Volatile::default());
    Ok(format!("{}\n", text(&lines)))
}

fn expectation(context: &Context, model: &str, recorded: &Recorded<'_>) -> anyhow::Result<String> {
    let whole = subject::expanded(context, model, recorded)?;
    let machine = recorded.machine.unwrap_or("the newest q35 machine type");
    let lane = recorded.lane.unwrap_or(Lane::DEFINITION);
    let guest = format!(
        "-cpu {model} on {machine}, {}, lane {lane}, -smp 1",
        whole.release
    );
    Ok(format!(
        "{}{}\n",
        heading::comments(&guest, lane),
        whole.text
    ))
}
