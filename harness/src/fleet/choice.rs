//! A model and the flags that make it what every host gives.

use super::bits::Bits;
use super::catalogue::{Catalogue, Value};
use super::models::Model;
use super::needs::{flags_off, switched_off, whole};

/// How much worse a feature is that is taken away than one that is added: a model that has it is of a newer processor than a host is, and
/// guests decide by family and model which faults to work around.
const TAKEN: usize = 3;

/// A model with flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The versioned model.
    pub model: String,
    /// Features added to it.
    pub plus: Bits,
    /// Features taken away by a flag; others go with them.
    pub minus: Bits,
    /// Everything that a guest has.
    pub guest: Bits,
    /// `phys-bits`, where the model's are too many.
    pub phys_bits: Option<u32>,
}

/// What may be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Nested virtualization.
    pub nested: bool,
    /// No feature beyond the model's.
    pub plain: bool,
}

impl Choice {
    /// What `model` becomes where every host gives `common`, and has so many bits of physical addresses.
    pub fn new(
        model: &Model,
        common: Bits,
        phys_bits: Option<u32>,
        wish: Wish,
        catalogue: &Catalogue,
    ) -> Choice {
        let root = catalogue.bits(["svm", "vmx"]) & common;
        let nested = wish.nested && !root.is_empty();
        let base = if nested {
            model.nested | root
        } else {
            model.features
        };
        let addable = if nested {
            catalogue.addable
        } else {
            catalogue.addable.without(catalogue.nested)
        };
        let more = if wish.plain {
            Bits::default()
        } else {
            common & addable
        };
        let guest = whole(base & common | more, catalogue);
        let off = base.without(guest);
        Choice {
            model: model.name.clone(),
            // What QEMU turns off by itself under KVM is a flag too.
            plus: guest.without(base) | guest & root.without(model.features),
            minus: flags_off(base, off, catalogue),
            guest,
            phys_bits: phys_bits.filter(|bits| *bits < model.phys_bits),
        }
    }

    /// How much the flags cost.
    pub fn cost(&self) -> usize {
        self.plus.count() + TAKEN * self.minus.count() + usize::from(self.phys_bits.is_some())
    }

    /// What a guest gains.
    pub fn value(&self, catalogue: &Catalogue) -> Value {
        catalogue.value(self.guest)
    }

    /// The `-cpu` argument.
    pub fn argument(&self, catalogue: &Catalogue) -> String {
        let mut argument = self.model.clone();
        for (sign, bits) in [('+', self.plus), ('-', self.minus)] {
            for name in catalogue.names(bits) {
                argument.push(',');
                argument.push(sign);
                argument.push_str(name);
            }
        }
        if let Some(bits) = self.phys_bits {
            argument.push_str(&format!(",phys-bits={bits}"));
        }
        argument
    }

    /// What QEMU makes of the argument under KVM, by its own rules: the same as `guest`, unless a flag is wrong.
    pub fn expanded(&self, model: &Model, catalogue: &Catalogue) -> Bits {
        let root = catalogue.bits(["svm", "vmx"]) & self.plus;
        let base = if root.is_empty() {
            model.features
        } else {
            model.nested
        };
        switched_off((base | self.plus).without(self.minus), catalogue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::{catalogue, model, models};

    #[test]
    fn flags_make_a_model_what_every_host_gives() {
        let catalogue = catalogue(&[(11, 1)]);
        let rome = model("EPYC-Rome-v2");
        let common =
            rome.features.without(catalogue.bits(["clwb"])) | catalogue.bits(["vaes", "invtsc"]);
        let choice = Choice::new(&rome, common, Some(39), Wish::default(), &catalogue);
        assert_eq!(
            choice.argument(&catalogue),
            "EPYC-Rome-v2,+vaes,-clwb,phys-bits=39"
        );
        assert_eq!(choice.cost(), 5);
        let plain = Wish {
            plain: true,
            ..Wish::default()
        };
        let choice = Choice::new(&rome, common, Some(48), plain, &catalogue);
        assert_eq!(choice.argument(&catalogue), "EPYC-Rome-v2,-clwb");
    }

    #[test]
    fn what_goes_along_has_no_flag() {
        let catalogue = catalogue(&[(11, 1)]);
        let rapids = model("SapphireRapids-v2");
        let common =
            rapids
                .features
                .without(catalogue.bits(["arch-capabilities", "rdctl-no", "mds-no"]));
        let choice = Choice::new(&rapids, common, None, Wish::default(), &catalogue);
        assert_eq!(
            choice.argument(&catalogue),
            "SapphireRapids-v2,-arch-capabilities"
        );
    }

    #[test]
    fn nested_guests_are_asked_for() {
        let catalogue = catalogue(&[(11, 1)]);
        let rome = model("EPYC-Rome-v2");
        let wish = Wish {
            nested: true,
            ..Wish::default()
        };
        let choice = Choice::new(&rome, rome.nested, None, wish, &catalogue);
        assert_eq!(choice.argument(&catalogue), "EPYC-Rome-v2,+svm");
        let without = rome.nested.without(catalogue.bits(["svm"]));
        let choice = Choice::new(&rome, without, None, wish, &catalogue);
        assert_eq!(choice.argument(&catalogue), "EPYC-Rome-v2");
    }

    #[test]
    fn every_choice_is_what_qemu_makes_of_its_argument() {
        let catalogue = catalogue(&[(11, 1)]);
        let all = models();
        for common in all.iter().step_by(7) {
            for model in all.iter().filter(|model| model.vendor == common.vendor) {
                for wish in [
                    Wish::default(),
                    Wish {
                        nested: true,
                        plain: false,
                    },
                ] {
                    let choice = Choice::new(model, common.nested, None, wish, &catalogue);
                    let expanded = choice.expanded(model, &catalogue);
                    let argument = choice.argument(&catalogue);
                    let extra = catalogue.names(expanded.without(choice.guest));
                    let lost = catalogue.names(choice.guest.without(expanded));
                    assert!(
                        extra.is_empty() && lost.is_empty(),
                        "{argument}: {extra:?} {lost:?}"
                    );
                }
            }
        }
    }
}
