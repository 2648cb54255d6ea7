//! The answer tried on each host, by what is known of it: what QEMU would filter there, and what a guest would see.
//!
//! Nothing is booted here. Where a host's evidence is KVM's own, this is what KVM does; elsewhere it is a prediction, and called so.

use std::collections::BTreeMap;

use super::answer::{Answer, Fleet};
use super::bits::Bits;
use super::class::Class;
use super::layout::COMPONENTS;
use super::models::Model;
use crate::cpuid::answers::{Answers, Key, Regs};
use crate::cpuid::table::Space;

/// What a class of hosts does with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProof {
    /// What QEMU would filter: with `enforce` it would not start.
    pub filtered: Bits,
    /// Registers in which the guest sees something else than on the first class.
    pub differing: Vec<Key>,
    /// Whether nobody knows where this host's XSAVE keeps a component that the guest has.
    pub layout_unknown: bool,
}

/// The proof over all classes, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// By class.
    pub classes: Vec<HostProof>,
    /// Registers of CPUID and MSR features that were compared.
    pub compared: usize,
}

impl Proof {
    /// Whether nothing is filtered, and every guest sees the same.
    pub fn holds(&self) -> bool {
        self.classes
            .iter()
            .all(|class| class.filtered.is_empty() && class.differing.is_empty())
    }
}

/// What a guest sees: CPUID, and features in MSRs.
type View = (Answers, Bits);

/// Tries the answer on every class; `None` where its model is not among the fleet's.
pub fn prove(fleet: &Fleet<'_>, answer: &Answer) -> Option<Proof> {
    let model = fleet.model(&answer.best)?;
    let asked = answer.best.expanded(model, fleet.catalogue);
    let used = used_components(fleet, asked);
    let views: Vec<View> = fleet
        .classes
        .iter()
        .map(|class| view(fleet, answer, model, asked, class))
        .collect();
    let (first, msrs) = views.first()?;
    let class = |(class, (answers, own)): (&Class, &View)| {
        let keys = first.keys().chain(answers.keys());
        let mut differing: Vec<Key> = keys
            .filter(|key| first.get(key) != answers.get(key))
            .copied()
            .collect();
        let other = (*own).without(*msrs) | (*msrs).without(*own);
        differing.extend(
            other
                .iter()
                .map(|feature| Key::new(fleet.catalogue.place(feature).1, 0)),
        );
        differing.sort_unstable();
        differing.dedup();
        HostProof {
            filtered: asked.without(class.facts.gives),
            differing,
            layout_unknown: used
                .iter()
                .any(|component| !class.facts.layout.contains_key(component)),
        }
    };
    let compared = first.len() * 4 + msrs.count();
    Some(Proof {
        classes: fleet.classes.iter().zip(&views).map(class).collect(),
        compared,
    })
}

/// CPUID that a guest of the answer sees on each class, in their order; none where its model is not among the fleet's.
pub fn views(fleet: &Fleet<'_>, answer: &Answer) -> Vec<Answers> {
    let Some(model) = fleet.model(&answer.best) else {
        return Vec::new();
    };
    let asked = answer.best.expanded(model, fleet.catalogue);
    let own = fleet.classes.iter();
    own.map(|class| view(fleet, answer, model, asked, class).0)
        .collect()
}

/// State components that a guest with these features has.
fn used_components(fleet: &Fleet<'_>, asked: Bits) -> Vec<u32> {
    let has = |name: &str| fleet.catalogue.number(name).is_some_and(|at| asked.has(at));
    COMPONENTS
        .iter()
        .filter(|(_, name)| has(name))
        .map(|(component, _)| *component)
        .collect()
}

/// What a guest sees on this host: the model's definition; features as asked for and given; what QEMU takes from the host.
fn view(fleet: &Fleet<'_>, answer: &Answer, model: &Model, asked: Bits, class: &Class) -> View {
    let mut answers = model.definition.boot_processor().map(|boot| {
        let reset = boot.phase(fidelity_protocol::frame::Phase::Reset);
        reset.map(|reset| reset.cpuid.clone()).unwrap_or_default()
    });
    let mut answers = answers.take().unwrap_or_default();
    let given = asked & class.facts.gives;
    let mut msrs = Bits::default();
    for (number, feature) in fleet.catalogue.features().iter().enumerate() {
        let (space, leaf, subleaf) = fleet.catalogue.place(number);
        if space == Space::Msr {
            if given.has(number) {
                msrs.insert(number);
            }
            continue;
        }
        let mask = 1_u32 << feature.field.low;
        let register = usize::from(feature.field.register);
        let regs = answers.entry(Key::new(leaf, subleaf));
        if given.has(number) {
            regs.or_default()[register] |= mask;
        } else {
            regs.and_modify(|regs| regs[register] &= !mask);
        }
    }
    set_vendor(&mut answers, class.facts.vendor.as_deref());
    for component in used_components(fleet, given) {
        let known = class
            .facts
            .layout
            .get(&component)
            .or_else(|| of_any(fleet.classes, component));
        if let Some([eax, ebx, ecx]) = known {
            answers.insert(Key::new(0xd, component), [*eax, *ebx, *ecx, 0]);
        }
    }
    if let Some(bits) = answer.best.phys_bits
        && let Some(regs) = answers.get_mut(&Key::new(0x8000_0008, 0))
    {
        regs[0] = regs[0] & !0xff | bits;
    }
    (answers, msrs)
}

/// A host that says nothing of a component is taken to have it where the others have it; the proof says that nobody knows.
fn of_any(classes: &[Class], component: u32) -> Option<&[u32; 3]> {
    classes
        .iter()
        .find_map(|class| class.facts.layout.get(&component))
}

/// QEMU gives every guest of KVM's the host's vendor (`x86_cpu_load_model` in target/i386/cpu.c).
fn set_vendor(answers: &mut BTreeMap<Key, Regs>, vendor: Option<&str>) {
    let Some(letters) = vendor
        .map(str::as_bytes)
        .filter(|letters| letters.len() == 12)
    else {
        return;
    };
    let word = |at: usize| {
        u32::from_le_bytes([
            letters[at],
            letters[at + 1],
            letters[at + 2],
            letters[at + 3],
        ])
    };
    for leaf in [0, 0x8000_0000] {
        if let Some(regs) = answers.get_mut(&Key::new(leaf, 0))
            && (leaf == 0 || regs[1] != 0)
        {
            (regs[1], regs[3], regs[2]) = (word(0), word(4), word(8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::answer::answer;
    use crate::fleet::choice::Choice;
    use crate::fleet::fixture::{catalogue, class, fleet};

    /// The proof of the best answer for these hosts, with features added to it that nobody asked for.
    fn proof(classes: &[Class], more: &[&str]) -> Proof {
        let fleet = fleet(classes);
        let mut answer = answer(&fleet).expect("an answer");
        let more = fleet.catalogue.bits(more.iter().copied());
        let (plus, minus) = (answer.best.plus | more, answer.best.minus.without(more));
        answer.best = Choice {
            plus,
            minus,
            ..answer.best
        };
        prove(&fleet, &answer).expect("a proof")
    }

    #[test]
    fn an_answer_is_filtered_nowhere_and_seen_alike() {
        let classes = [
            class("EPYC-Rome-v2", &["vaes"], &[]),
            class("EPYC-Milan-v2", &[], &["pku"]),
            class("EPYC-Genoa-v1", &[], &[]),
        ];
        let proof = proof(&classes, &[]);
        assert!(proof.holds(), "{proof:?}");
        assert!(proof.compared > 100);
    }

    #[test]
    fn one_bit_more_is_filtered_where_it_is_not_given() {
        let classes = [
            class("EPYC-Milan-v2", &[], &[]),
            class("EPYC-Rome-v2", &[], &[]),
        ];
        let proof = proof(&classes, &["pku"]);
        assert!(!proof.holds());
        let pku = catalogue(&[(11, 1)]).bits(["pku"]);
        assert_eq!(
            [proof.classes[0].filtered, proof.classes[1].filtered],
            [Bits::default(), pku]
        );
        assert_eq!(
            proof.classes[1].differing,
            [Key::new(7, 0)],
            "the guest sees it on one host alone"
        );
    }

    #[test]
    fn state_that_two_hosts_keep_elsewhere_is_in_no_answer() {
        let mut classes = [
            class("EPYC-Milan-v2", &[], &[]),
            class("EPYC-Milan-v2", &[], &["vaes"]),
        ];
        classes[0].facts.layout.insert(9, [8, 2432, 0]);
        classes[1].facts.layout.insert(9, [8, 2688, 0]);
        let whole = proof(&classes, &[]);
        assert!(whole.holds(), "{whole:?}");
        let broken = proof(&classes, &["pku"]);
        assert!(
            broken.classes[0].layout_unknown,
            "nobody says where AVX is kept"
        );
        assert!(
            broken.classes[1].differing.contains(&Key::new(0xd, 9)),
            "{broken:?}"
        );
    }
}
