//! What libvirt's QEMU driver makes of elements beside `<cpu>`, an attribute a row, in the order of QEMU's command line
//! (qemuBuildCpuCommandLine, qemuBuildMachineCommandLine and qemuBuildAccelCommandLine in src/qemu/qemu_command.c).

/// Which argument of QEMU's a property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `-cpu`.
    Cpu,
    /// `-machine`.
    Machine,
    /// `-accel`.
    Accel,
}

/// What an attribute's value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing of its own: it says whether other attributes and elements count.
    Gate,
    /// `on` is `=on`; `off` is nothing.
    On,
    /// `off` is `=off`; `on` is nothing.
    Off,
    /// `on` is `=off`; `off` is nothing.
    Hides,
    /// `on` or `yes` is `=on`, `off` or `no` is `=off`.
    Both,
    /// `yes` is `=on`; `no` is nothing.
    Yes,
    /// This value is `=on`.
    Named(&'static str),
    /// These values have words of QEMU's.
    Words(&'static [(&'static str, &'static str)]),
    /// A number, which is written in hexadecimal; at least so much.
    Hex(u32),
    /// A number, as it is; 0 is none.
    Number,
    /// At most so many letters, as they are.
    Text(usize),
}

/// An attribute.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its element: `features/hyperv/relaxed`, and `clock/timer[name=tsc]` where an attribute tells elements apart.
    pub path: &'static str,
    /// The attribute.
    pub attribute: &'static str,
    /// Whose argument it goes into.
    pub target: Target,
    /// QEMU's property; empty where the row has none.
    pub property: &'static str,
    /// What becomes of it.
    pub rule: Rule,
    /// An element whose `state` has to be `on`; empty where there is none.
    pub needs: &'static str,
}

const fn row(
    path: &'static str,
    attribute: &'static str,
    property: &'static str,
    rule: Rule,
) -> Row {
    Row {
        path,
        attribute,
        target: Target::Cpu,
        property,
        rule,
        needs: "",
    }
}

const fn state(path: &'static str, property: &'static str) -> Row {
    row(path, "state", property, Rule::On)
}

const fn gate(path: &'static str) -> Row {
    row(path, "state", "", Rule::Gate)
}

impl Row {
    const fn needs(self, needs: &'static str) -> Row {
        Row { needs, ..self }
    }

    const fn in_argument(self, target: Target) -> Row {
        Row { target, ..self }
    }
}

const SPINLOCKS: &str = "features/hyperv/spinlocks";
const STIMER: &str = "features/hyperv/stimer";
const TLBFLUSH: &str = "features/hyperv/tlbflush";
const VENDOR: &str = "features/hyperv/vendor_id";
const DIRTY_RING: &str = "features/kvm/dirty-ring";

/// Fewest retries that libvirt takes (virDomainFeaturesHyperVDefParse).
const RETRIES: u32 = 0xFFF;
/// Letters of a vendor (VIR_DOMAIN_HYPERV_VENDOR_ID_MAX).
const VENDOR_LENGTH: usize = 12;

/// All of them. Timers come in the order of the XML.
pub static ROWS: [Row; 40] = [
    row(
        "clock/timer[name=kvmclock]",
        "present",
        "kvmclock",
        Rule::Both,
    ),
    row(
        "clock/timer[name=hypervclock]",
        "present",
        "hv-time",
        Rule::Yes,
    ),
    row(
        "clock/timer[name=tsc]",
        "frequency",
        "tsc-frequency",
        Rule::Number,
    ),
    row("features/apic", "eoi", "kvm-pv-eoi", Rule::Both),
    row("features/pvspinlock", "state", "kvm-pv-unhalt", Rule::Both),
    row(
        "features/hyperv",
        "mode",
        "hv-passthrough",
        Rule::Named("passthrough"),
    ),
    state("features/hyperv/relaxed", "hv-relaxed"),
    state("features/hyperv/vapic", "hv-vapic"),
    gate(SPINLOCKS),
    row(SPINLOCKS, "retries", "hv-spinlocks", Rule::Hex(RETRIES)).needs(SPINLOCKS),
    state("features/hyperv/vpindex", "hv-vpindex"),
    state("features/hyperv/runtime", "hv-runtime"),
    state("features/hyperv/synic", "hv-synic"),
    state(STIMER, "hv-stimer"),
    state("features/hyperv/stimer/direct", "hv-stimer-direct").needs(STIMER),
    state("features/hyperv/reset", "hv-reset"),
    gate(VENDOR),
    row(VENDOR, "value", "hv-vendor-id", Rule::Text(VENDOR_LENGTH)).needs(VENDOR),
    state("features/hyperv/frequencies", "hv-frequencies"),
    state("features/hyperv/reenlightenment", "hv-reenlightenment"),
    state(TLBFLUSH, "hv-tlbflush"),
    state("features/hyperv/tlbflush/direct", "hv-tlbflush-direct").needs(TLBFLUSH),
    state("features/hyperv/tlbflush/extended", "hv-tlbflush-ext").needs(TLBFLUSH),
    state("features/hyperv/ipi", "hv-ipi"),
    state("features/hyperv/evmcs", "hv-evmcs"),
    state("features/hyperv/avic", "hv-avic"),
    state("features/hyperv/emsr_bitmap", "hv-emsr-bitmap"),
    state("features/hyperv/xmm_input", "hv-xmm-input"),
    row(
        "devices/panic[model=hyperv]",
        "model",
        "hv-crash",
        Rule::Named("hyperv"),
    ),
    row("features/kvm/hidden", "state", "kvm", Rule::Hides),
    state("features/kvm/hint-dedicated", "kvm-hint-dedicated"),
    state("features/kvm/poll-control", "kvm-poll-control"),
    row("features/kvm/pv-ipi", "state", "kvm-pv-ipi", Rule::Off),
    row("features/pmu", "state", "pmu", Rule::Both),
    row("features/vmport", "state", "vmport", Rule::Both).in_argument(Target::Machine),
    row("features/smm", "state", "smm", Rule::Both).in_argument(Target::Machine),
    row(
        "features/ioapic",
        "driver",
        "kernel_irqchip",
        Rule::Words(&[("qemu", "split"), ("kvm", "on")]),
    )
    .in_argument(Target::Machine),
    row("clock/timer[name=hpet]", "present", "hpet", Rule::Both).in_argument(Target::Machine),
    gate(DIRTY_RING),
    row(DIRTY_RING, "size", "dirty-ring-size", Rule::Number)
        .needs(DIRTY_RING)
        .in_argument(Target::Accel),
];
