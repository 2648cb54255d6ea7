//! One processor gives one answer to one question: a file, or a table of a VMM, that has two for one leaf and subleaf contradicts itself.
//!
//! The first entry that matches is the one that a guest sees (kvm_find_cpuid_entry2 in arch/x86/kvm/cpuid.c), so the others are lost.

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{Place, Side};
use super::view::{Rule, hex};
use crate::cpuid::table::Table;
use crate::input::{Cpu, Input};

/// Every answer that is there a second time with other values.
pub fn repeated(input: &Input, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Repeated,
        layer,
        table,
    };
    let cpus = input.cpus.iter().enumerate();
    cpus.flat_map(|(index, cpu)| {
        let found = of_cpu(cpu, &rule).into_iter();
        found.map(move |finding| finding.on(Side::Vcpu(index)))
    })
    .collect()
}

fn of_cpu(cpu: &Cpu, rule: &Rule<'_>) -> Vec<Finding> {
    let twice = cpu.repeated.iter().filter_map(|(key, again)| {
        let first = cpu.answers.get(key).filter(|first| *first != again)?;
        let expected = format!("one answer: {}", hex(*first));
        let finding = rule.finding(Kind::Changed, "leaf", expected, hex(*again));
        Some(finding.at(Place::of_leaf(*key)))
    });
    twice.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{dump, sentences, table, vcpu, vendor};
    use crate::cpuid::answers::Key;
    use crate::input::Format;

    #[test]
    fn a_second_answer_with_other_values_is_found() {
        let rows = [vendor(4, "GenuineIntel"), (4, 0, [0x121, 1, 2, 3])];
        let mut input = Input::of_dump(Format::Etallen, dump(vec![vcpu(0, &rows)]));
        assert!(repeated(&input, Layer::Unknown, &table()).is_empty());
        input.cpus[0]
            .repeated
            .push((Key::new(4, 0), [0x122, 1, 2, 3]));
        assert_eq!(
            sentences(&repeated(&input, Layer::Unknown, &table())),
            [
                "repeated: changed leaf CPUID.04H.00H: one answer: 00000121 00000001 00000002 00000003; \
                 00000122 00000001 00000002 00000003"
            ]
        );
    }
}
