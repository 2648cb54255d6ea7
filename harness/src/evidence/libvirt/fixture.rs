//! A small table of features and models for tests.

use super::cpu_map::CpuMap;

/// Two features, one of which QEMU spells otherwise, and a model from which one was removed.
pub fn map() -> CpuMap {
    let text = "<cpus><arch name='x86'><feature name='pni'><alias name='sse3' source='qemu'/>\
        <cpuid eax_in='0x01' ecx='0x1'/></feature><feature name='cmt'><cpuid eax_in='0x07' ebx='0x1000'/></feature>\
        <feature name='monitor'><cpuid eax_in='0x01' ecx='0x8'/></feature>\
        <model name='EPYC'><feature name='pni'/></model>\
        <model name='Opteron_G3'><feature name='monitor' removed='yes'/></model></arch></cpus>";
    CpuMap::parse(&[("index.xml".to_owned(), text.to_owned())].into()).expect("a map")
}

/// Models of the domains.
pub const MODELS: [&str; 6] = [
    "EPYC",
    "Haswell",
    "Skylake-Server",
    "Penryn",
    "qemu64",
    "Opteron_G3",
];

/// So many domains vary in everything that decides what a CPU is.
pub const DOMAINS: u64 = 40;

/// A number generator of the simplest kind (Knuth's MMIX), so that a domain is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % count
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Some of these, in their order.
    fn some(&mut self, from: &[&str]) -> String {
        let kept = from.iter().filter(|_| self.below(3) == 0);
        kept.copied().collect()
    }
}

const HYPERV: [&str; 19] = [
    "<relaxed state='on'/>",
    "<vapic state='off'/>",
    "<spinlocks state='on' retries='8191'/>",
    "<vpindex state='on'/>",
    "<runtime state='on'/>",
    "<synic state='on'/>",
    "<stimer state='on'/>",
    "<reset state='on'/>",
    "<vendor_id state='on' value='KVM Hv'/>",
    "<frequencies state='on'/>",
    "<reenlightenment state='on'/>",
    "<tlbflush state='on'><direct state='on'/><extended state='on'/></tlbflush>",
    "<ipi state='on'/>",
    "<evmcs state='on'/>",
    "<avic state='on'/>",
    "<emsr_bitmap state='on'/>",
    "<xmm_input state='on'/>",
    "",
    "",
];

const KVM: [&str; 5] = [
    "<hidden state='on'/>",
    "<hint-dedicated state='on'/>",
    "<poll-control state='on'/>",
    "<pv-ipi state='off'/>",
    "<dirty-ring state='on' size='4096'/>",
];

const TIMERS: [&str; 6] = [
    "<timer name='tsc' frequency='2000000000' mode='native'/>",
    "<timer name='hypervclock' present='yes'/>",
    "<timer name='kvmclock' present='no'/>",
    "<timer name='hpet' present='no'/>",
    "<timer name='pit' tickpolicy='delay'/>",
    "<timer name='rtc' tickpolicy='catchup'/>",
];

/// Elements of `<features>`; a guest has each at most once.
const FEATURES: [&str; 4] = [
    "<pvspinlock state='off'/>",
    "<pmu state='off'/>",
    "<smm state='on'/>",
    "<ioapic driver='kvm'/>",
];

/// Features of libvirt's and QEMU's, some of which QEMU spells otherwise.
const FLAGS: [&str; 6] = [
    "<feature policy='require' name='pni'/>",
    "<feature policy='disable' name='avx2'/>",
    "<feature policy='force' name='cmp_legacy'/>",
    "<feature policy='forbid' name='monitor'/>",
    "<feature policy='require' name='tsc_adjust'/>",
    "<feature policy='disable' name='osxsave'/>",
];

/// One of the domains: `number` says which.
pub fn domain(number: u64) -> String {
    let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let (machine, cpu) = (machine(&mut dice), cpu(&mut dice));
    let apic = dice.pick(&["<apic/>", "<apic eoi='on'/>", "<apic eoi='off'/>"]);
    let mode = dice.pick(&["", " mode='custom'", " mode='passthrough'"]);
    let on = if mode.contains("pass") {
        "<relaxed state='on'/>".to_owned()
    } else {
        dice.some(&HYPERV)
    };
    let hyperv = format!("<hyperv{mode}>{on}</hyperv>");
    let (kvm, features) = (dice.some(&KVM), dice.some(&FEATURES));
    let timers = dice.some(&TIMERS);
    let panic = dice.pick(&["", "", "<panic model='hyperv'/>"]);
    format!(
        "<domain type='kvm'><name>x</name><memory unit='MiB'>128</memory><vcpu>8</vcpu>\
         <os><type arch='x86_64' machine='{machine}'>hvm</type></os>\
         <features><acpi/>{apic}{hyperv}<kvm>{kvm}</kvm>{features}</features>{cpu}\
         <clock offset='utc'>{timers}</clock><devices>{panic}</devices></domain>"
    )
}

fn machine(dice: &mut Dice) -> &'static str {
    dice.pick(&[
        "pc-q35-7.2",
        "pc-q35-6.2",
        "pc-i440fx-7.1",
        "pc-q35-7.0",
        "pc-i440fx-7.2",
    ])
}

fn cpu(dice: &mut Dice) -> String {
    let topology = dice.pick(&[
        "",
        "<topology sockets='2' cores='2' threads='2'/>",
        "<topology sockets='1' dies='2' cores='2' threads='2'/>",
    ]);
    let bits = dice.pick(&[
        "",
        "<maxphysaddr mode='emulate' bits='40'/>",
        "<maxphysaddr mode='passthrough'/>",
        "<maxphysaddr mode='passthrough' limit='39'/>",
    ]);
    let flags = dice.some(&FLAGS);
    let host = [
        "<cache mode='passthrough'/>",
        "<cache mode='disable'/>",
        "<cache level='3' mode='emulate'/>",
        "",
    ];
    let mode = dice.pick(&["custom", "custom", "host-passthrough", "maximum"]);
    if mode == "custom" {
        let model = dice.pick(&MODELS);
        let vendor = dice.pick(&["", " vendor_id='GenuineIntel'"]);
        let check = dice.pick(&["none", "full"]);
        let cache = dice.pick(&host[1..]);
        return format!(
            "<cpu mode='custom' match='exact' check='{check}'><model fallback='forbid'{vendor}>{model}</model>{topology}{cache}{bits}{flags}</cpu>"
        );
    }
    let migratable = dice.pick(&["", " migratable='off'", " migratable='on'"]);
    let cache = dice.pick(&host);
    format!("<cpu mode='{mode}' check='none'{migratable}>{topology}{cache}{bits}{flags}</cpu>")
}
