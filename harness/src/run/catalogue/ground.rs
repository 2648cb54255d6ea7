//! Where properties are measured: on which guests, and which of them.

use std::sync::Arc;

use fidelity_protocol::frame::Phase;

use crate::case::glob::Glob;
use crate::case::{Case, Qemu};
use crate::cpuid::table::Space;
use crate::lanes::definition;

/// No feature; every basic, extended and Centaur leaf in range.
const WIDE: &str = "base,level=0x24,min-level=0x24,xlevel=0x80000026,min-xlevel=0x80000026,xlevel2=0xc0000004,min-xlevel2=0xc0000004";
/// What further leaves depend on: SVM's, XSAVE's components, AMX's, AVX10's, SGX's.
const DEEP: &str = "svm=on,xsave=on,xsaves=on,avx=on,avx512f=on,amx-tile=on,avx10=on,avx10-version=1,intel-pt=on,sgx=on";
/// All that KVM offers.
const HOST: &str = "host";
/// The same, and what further VMX controls depend on, whether KVM has it or not (`feature_dependencies` in target/i386/cpu.c).
const FORCED: &str = "mpx=on,pks=on,sgx=on,waitpkg=on,intel-pt=on,fred=on,lkgs=on,wrmsrns=on";

/// Guests on which properties are toggled.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The guest, whatever its `-cpu` is.
    pub case: Case,
    /// The space of the bits that it can show whole.
    pub space: Space,
    pub(super) bases: Vec<Base>,
}

/// A `-cpu` argument on which properties are toggled.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) model: &'static str,
    /// Properties of it, as far as the QEMU has them.
    pub(super) further: &'static str,
    /// Whether what is switched on is there, be it supported or not.
    pub(super) forced: bool,
}

/// Which properties are measured.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Those that match one.
    pub globs: Vec<Glob>,
    /// One of so many of these.
    pub stride: usize,
}

impl Chosen {
    /// All.
    pub fn all() -> Chosen {
        Chosen {
            globs: vec![Glob::any()],
            stride: 1,
        }
    }
}

impl Ground {
    /// Lane `definition`: two bases, both made from QEMU's model `base`, which has no features at all. One has every leaf in range, and one
    /// what further leaves depend on switched on. What TCG cannot show (MSR features, leaves 0AH, 14H and 1CH, KVM's and Hyper-V's own)
    /// moves nothing here.
    pub fn definition(qemu: &Arc<Qemu>) -> Ground {
        let machine = qemu.newest_machine().unwrap_or("q35");
        let base = |further| Base {
            model: WIDE,
            further,
            forced: true,
        };
        Ground {
            case: definition::case(qemu, machine, WIDE),
            space: Space::Cpuid,
            bases: vec![base(""), base(DEEP)],
        }
    }

    /// KVM, on the machine of the case: `host`, of which properties are switched off, and a second base on which those that KVM does not
    /// offer are forced on. KVM refuses to give them to a guest, and QEMU reports which bits it set.
    pub fn kvm(case: Case) -> Ground {
        let base = |further, forced| Base {
            model: HOST,
            further,
            forced,
        };
        Ground {
            case,
            space: Space::Msr,
            bases: vec![base("", false), base(FORCED, true)],
        }
    }

    /// Phases that the agent runs. Names are about what QEMU sets, before an OS changes anything; the fewer phases, the sooner it is over.
    pub(super) fn phases(&self) -> Vec<Phase> {
        match self.space {
            Space::Msr => vec![Phase::Reset, Phase::Msrs],
            Space::Cpuid | Space::HyperV => vec![Phase::Reset],
        }
    }
}
