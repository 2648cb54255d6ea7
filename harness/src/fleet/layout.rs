//! Where XSAVE keeps each state component: QEMU takes sizes and places from the host (`kvm_cpu_xsave_init` in target/i386/kvm/kvm-cpu.c).

use std::collections::BTreeMap;

use super::bits::Bits;
use super::catalogue::Catalogue;
use crate::cpuid::answers::{Answers, Key};

/// By component: EAX, EBX and ECX of its subleaf of CPUID.0DH.
pub type Layout = BTreeMap<u32, [u32; 3]>;

/// The components that features bring (`x86_ext_save_areas` in target/i386/cpu.c).
pub const COMPONENTS: [(u32, &str); 12] = [
    (2, "avx"),
    (3, "mpx"),
    (4, "mpx"),
    (5, "avx512f"),
    (6, "avx512f"),
    (7, "avx512f"),
    (9, "pku"),
    (11, "cet-ss"),
    (12, "cet-ss"),
    (15, "arch-lbr"),
    (17, "amx-tile"),
    (18, "amx-tile"),
];

/// What CPUID.0DH says.
pub fn layout(answers: &Answers) -> Layout {
    let component = |(component, _): &(u32, &str)| {
        let [eax, ebx, ecx, _] = *answers.get(&Key::new(0xd, *component))?;
        (eax != 0).then_some((*component, [eax, ebx, ecx]))
    };
    COMPONENTS.iter().filter_map(component).collect()
}

/// Features of which two hosts keep the state in different places, so that no guest with them can move.
pub fn differing<'a>(
    layouts: impl Iterator<Item = &'a Layout> + Clone,
    catalogue: &Catalogue,
) -> Bits {
    let differ = |component: u32| {
        let mut places = layouts.clone().filter_map(|layout| layout.get(&component));
        places
            .next()
            .is_some_and(|first| places.any(|other| other != first))
    };
    let names = COMPONENTS
        .iter()
        .filter(|(component, _)| differ(*component));
    catalogue.bits(names.map(|(_, name)| *name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::catalogue;

    #[test]
    fn a_component_that_two_hosts_keep_elsewhere_cannot_move() {
        let catalogue = catalogue(&[(11, 1)]);
        let at = |pkru: u32| {
            let rows = [
                (Key::new(0xd, 2), [256, 576, 0, 0]),
                (Key::new(0xd, 9), [8, pkru, 0, 0]),
            ];
            layout(&rows.into_iter().collect())
        };
        let (intel, amd) = (at(2688), at(2432));
        let both = [&intel, &amd];
        assert_eq!(
            catalogue.names(differing(both.into_iter(), &catalogue)),
            ["pku"]
        );
        assert!(differing([&intel, &intel].into_iter(), &catalogue).is_empty());
        // A host that says nothing of a component differs from none.
        assert!(differing([&intel, &Layout::new()].into_iter(), &catalogue).is_empty());
    }
}
