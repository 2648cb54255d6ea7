//! `explain`: where a feature is at each layer, and which one lost it.

use clap::Args;
use cpuid_fidelity::case::{Case, Lane, Topology};
use cpuid_fidelity::check::behaviour::of_feature;
use cpuid_fidelity::cpuid::table::Field;
use cpuid_fidelity::expectation::Store;
use cpuid_fidelity::explain::number::{self, Number, number};
use cpuid_fidelity::explain::sources::Sources;
use cpuid_fidelity::explain::undo::Proof;
use cpuid_fidelity::explain::{LayerRow, place};
use cpuid_fidelity::report::layers::{Answer, Asked, object, set, text};
use cpuid_fidelity::run::Engine;
use cpuid_fidelity::run::explain::{self, gather};

use super::common::feature::{Features, features};
use super::common::kernel::Kernel;
use super::common::place::{Guest, case};
use super::common::qemu::{offered, one_qemu};
use super::{Context, NOT_RUN, print, print_json, print_line};

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// `-cpu` argument: model and flags
    #[arg(long, value_name = "C")]
    pub cpu: String,
    /// The feature, as QEMU spells it, or a number as phys-bits; Linux's and libvirt's spellings are understood. Or a level of the x86-64
    /// psABI (`x86-64-v3`), or a file of features, one a line: the missing ones by what each is missing for
    #[arg(long, value_name = "F")]
    pub feature: String,
    /// Machine type
    #[arg(long, value_name = "M", default_value = "q35")]
    pub machine: String,
    /// How the guest is run. `explain`, `record` and `migrate` take `tcg` by themselves, because a lane that forces features filters none; `dump`, `check`,
    /// `diff` and `show` take the model's whole definition
    #[arg(long, value_enum, default_value_t = Lane::TCG)]
    pub lane: Lane,
    /// Name the cause, and do not boot the guest without it to prove it
    #[arg(long)]
    pub no_proof: bool,
    /// Print one JSON object; of several features, one a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub kernel: Kernel,
}

/// What was asked for.
enum Subject<'a> {
    Feature(&'a Field),
    Number(Number<'a>),
}

impl<'a> Subject<'a> {
    fn name(&self) -> &str {
        match self {
            Subject::Feature(field) => &field.name,
            Subject::Number(number) => &number.name,
        }
    }

    fn field(&self) -> &'a Field {
        match self {
            Subject::Feature(field) => field,
            Subject::Number(number) => number.field,
        }
    }

    /// The rows and what they come to.
    fn explain(&self, engine: &Engine, sources: &Sources) -> (Vec<LayerRow>, String) {
        match self {
            Subject::Feature(field) => explain::explain(engine, sources, field),
            Subject::Number(number) => {
                number::explain(sources, explain::tables(engine).features, number)
            }
        }
    }

    fn prove(&self, engine: &Engine, case: &Case, sources: &Sources) -> Option<Proof> {
        match self {
            Subject::Feature(field) => explain::prove(engine, case, sources, field),
            Subject::Number(_) => None,
        }
    }
}

/// One of them, or a set.
enum Wanted<'a> {
    One(Subject<'a>),
    Set(Features<'a>),
}

impl<'a> Wanted<'a> {
    fn named(store: &'a Store, name: &str) -> anyhow::Result<Wanted<'a>> {
        if let Some(number) = number(&store.table, name) {
            return Ok(Wanted::One(Subject::Number(number)));
        }
        let features = features(store, name)?;
        Ok(match features.fields[..] {
            [field] if features.set.is_none() => Wanted::One(Subject::Feature(field)),
            _ => Wanted::Set(features),
        })
    }
}

/// Prints what each layer makes of the feature; returns the exit status.
pub fn run(context: &Context, arguments: &Explain) -> anyhow::Result<u8> {
    let wanted = Wanted::named(&context.store, &arguments.feature)?;
    let qemu = one_qemu(&context.inventory()?)?;
    offered(&qemu, &arguments.cpu, &arguments.machine)?;
    let guest = Guest {
        qemu,
        lane: arguments.lane,
        machine: &arguments.machine,
        cpu: &arguments.cpu,
        smp: &Topology::single(),
        kernel: &arguments.kernel,
    };
    let case = case(context, &guest)?;
    let engine = context.engine()?;
    let sources = gather(&engine, &case);
    match &wanted {
        Wanted::One(subject) => explain_and_print(&engine, &case, &sources, subject, arguments),
        Wanted::Set(wanted) => of_set(&engine, &case, &sources, wanted, arguments.json),
    }
    if let Some(unseen) = &sources.unseen {
        note!("ERROR {}", unseen.reason);
        return Ok(NOT_RUN);
    }
    Ok(0)
}

/// Prints what the layers make of one subject.
fn explain_and_print(
    engine: &Engine,
    case: &Case,
    sources: &Sources,
    subject: &Subject<'_>,
    arguments: &Explain,
) {
    let (rows, verdict) = subject.explain(engine, sources);
    let wanted = (!arguments.no_proof).then_some(());
    let proof = wanted.and_then(|()| subject.prove(engine, case, sources));
    let lab = case.host.as_ref().map(|host| host.label());
    let asked = Asked {
        case,
        feature: subject.name(),
        place: &place(subject.field()),
        lab: lab.as_deref(),
    };
    let answer = Answer {
        rows: &rows,
        verdict: &verdict,
        proof: proof.as_ref(),
    };
    if arguments.json {
        print_json(&object(asked, answer).to_string())
    } else {
        // Verdict and proof stay the last lines.
        let store = &engine.bench.store;
        let name = &subject.field().name;
        for sentence in of_feature(&sources.layers, name, &store.behaviour, &store.table) {
            print_line(&format!("tried: {sentence}"));
        }
        let linux = sources.linux.iter().flatten();
        for sentence in linux.flat_map(|all| of_feature(all, name, &store.behaviour, &store.table))
        {
            print_line(&format!("user space: {sentence}"));
        }
        print(&text(asked, answer));
    }
}

/// Prints what the guest lacks of a set, by the cause.
fn of_set(engine: &Engine, case: &Case, sources: &Sources, wanted: &Features<'_>, json: bool) {
    let explained = wanted.fields.iter().map(|field| {
        let (rows, verdict) = explain::explain(engine, sources, field);
        (field.name.as_str(), rows, verdict)
    });
    let answers: Vec<_> = explained.collect();
    let lab = case.host.as_ref().map(|host| host.label());
    let asked = Asked {
        case,
        feature: wanted.set.as_deref().unwrap_or_default(),
        place: "",
        lab: lab.as_deref(),
    };
    if !json {
        print(&set(asked, &answers));
        return;
    }
    for ((feature, rows, verdict), field) in answers.iter().zip(&wanted.fields) {
        let place = &place(field);
        let asked = Asked {
            feature,
            place,
            ..asked
        };
        let answer = Answer {
            rows,
            verdict,
            proof: None,
        };
        print_json(&object(asked, answer).to_string());
    }
}
