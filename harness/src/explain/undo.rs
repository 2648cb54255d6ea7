//! What would bring a feature back: the counterfactual that proves a cause.

use super::cause::Cause;
use super::evidence::{Evidence, State};
use super::place::At;
use super::verdict::Loss;
use crate::case::flags::flags;
use crate::check::linux;

/// A change to the guest that takes a cause away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Another `-cpu` argument.
    Cpu(String),
    /// The newest machine type.
    NewestMachine,
    /// `x-force-features=on`: lane `definition`.
    Forced,
    /// The host's kernel without this parameter of its command line or of a module.
    HostKernelWithout(String),
    /// The guest's kernel without this parameter.
    GuestKernelWithout(String),
}

/// What the guest shows without the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What is different: `-cpu EPYC`.
    pub with: String,
    /// Whether the guest then has the feature.
    pub state: State,
    /// What its layers come to.
    pub verdict: String,
}

impl Proof {
    /// One line for people.
    pub fn describe(&self) -> String {
        let Proof { with, verdict, .. } = self;
        match self.state {
            State::Present => format!("with {with} {verdict}"),
            State::Absent => format!("with {with} the guest still has not got it: {verdict}"),
            State::Unknown => format!("with {with} {verdict}"),
        }
    }
}

/// What takes the cause away from the guest with this `-cpu` argument; `None` where nothing on this command line does.
pub fn undo(loss: Loss<'_>, evidence: &Evidence, cpu: &str) -> Option<Undo> {
    let add = |more: &str| Some(Undo::Cpu(format!("{cpu},{more}")));
    match loss.cause {
        Cause::TurnedOffByFlag { flag } => Some(Undo::Cpu(without(cpu, flag))),
        Cause::Conflicts { with } => {
            let with = with.to_lowercase();
            let flag = flags(cpu)
                .into_iter()
                .rfind(|flag| flag.on && flag.name.starts_with(&with))?;
            Some(Undo::Cpu(without(cpu, &flag.text)))
        }
        Cause::NotInModelVersion { since, .. } => {
            let rest = cpu.split_once(',').map(|(_, rest)| format!(",{rest}"));
            Some(Undo::Cpu(since.clone() + &rest.unwrap_or_default()))
        }
        Cause::RemovedByMachineType { .. } => Some(Undo::NewestMachine),
        Cause::NotMigratable => add("migratable=off"),
        Cause::OffByDefault { flags } | Cause::NotAsked { flag: flags } => add(flags),
        Cause::NotInModel { .. } => add(evidence.asks_for.as_deref()?),
        Cause::DependsOn { feature } => {
            let mut own = flags(cpu).into_iter();
            match own.rfind(|flag| flag.name == *feature && !flag.on) {
                Some(flag) => Some(Undo::Cpu(without(cpu, &flag.text))),
                // What was asked for already, and filtered, does not come by asking again.
                None if evidence.needs.as_ref() != Some(feature) => None,
                None => add(&format!("{feature}=on")),
            }
        }
        Cause::BeyondLevel { base: 0, .. } => add(&format!("level={:#x}", leaf(evidence)?)),
        Cause::BeyondLevel {
            base: 0x8000_0000, ..
        } => add(&format!("xlevel={:#x}", leaf(evidence)?)),
        Cause::Filtered { by } if by == "TCG" => Some(Undo::Forced),
        Cause::Filtered { .. } => match loss.root? {
            Cause::KernelCommandLine { parameter } => {
                Some(Undo::HostKernelWithout(parameter.clone()))
            }
            Cause::ModuleOption { option } => Some(Undo::HostKernelWithout(option.clone())),
            _ => None,
        },
        Cause::GuestKernel {
            loss: linux::Loss::CommandLine { word },
        } => Some(Undo::GuestKernelWithout(word.clone())),
        _ => None,
    }
}

fn leaf(evidence: &Evidence) -> Option<u32> {
    match evidence.at {
        At::Cpuid(bit) => Some(bit.key.leaf),
        At::Msr(..) => None,
    }
}

/// The argument without this flag, however often it is there.
fn without(cpu: &str, flag: &str) -> String {
    let parts = cpu.split(',').enumerate();
    let kept = parts.filter(|(index, part)| *index == 0 || *part != flag);
    kept.map(|(_, part)| part).collect::<Vec<_>>().join(",")
}

/// A kernel's parameters without one, by its name: sysfs may spell its value in another way.
pub fn without_parameter(parameters: &[String], gone: &str) -> Option<Vec<String>> {
    let name = |text: &str| text.split('=').next().unwrap_or(text).replace('-', "_");
    let kept = parameters.iter().filter(|own| name(own) != name(gone));
    let kept: Vec<String> = kept.cloned().collect();
    (kept.len() < parameters.len()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_a_text_is_left_out_and_the_model_stays() {
        assert_eq!(without("EPYC,-avx2,+svm,-avx2", "-avx2"), "EPYC,+svm");
        assert_eq!(without("EPYC", "EPYC"), "EPYC");
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let parameters = ["kvm_amd.nested=0", "quiet"].map(str::to_owned);
        let kept = without_parameter(&parameters, "kvm_amd.nested=N");
        assert_eq!(kept, Some(vec!["quiet".to_owned()]));
        assert_eq!(without_parameter(&parameters, "nosmap"), None);
    }
}
