//! Check 5, second part: XSAVE sizes add up, and what follows control state follows it.
//!
//! 0DH.0 ECX is the end of the last user component offered, EBX that of the last one enabled in XCR0; every component offered has a
//! size, and says rightly whether it is the user's or the supervisor's (SDM vol. 1 §13.2; x86_cpu_xsave_xcr0_components in QEMU's
//! target/i386/cpu.c; xstate_required_size in arch/x86/kvm/cpuid.c). OSXSAVE and OSPKE mirror CR4 (SDM vol. 2 "CPUID"), and
//! what CPUID announces can be turned on.
//!
//! Left out is 0DH.1 EBX: TCG gives the size of all components there whatever is enabled, on every model.

use fidelity_protocol::entry::Control;
use fidelity_protocol::frame::Phase;

use super::finding::{CheckId, Finding, Kind, Layer};
use super::place::{Place, Side};
use super::view::{Rule, View};
use crate::cpuid::dump::{Dump, PhaseDump, Reading, Vcpu};
use crate::cpuid::table::Table;

/// Bytes of the legacy region and the header, which hold x87 and SSE (SDM vol. 1 §13.4).
const LEGACY: u32 = 576;
/// CPUID bits that mirror a bit of CR4, and the feature they belong to.
const MIRRORS: [(&str, &str, u32); 2] = [("osxsave", "xsave", 18), ("ospke", "pku", 22)];

/// What does not add up on any vCPU.
pub fn xsave(dump: &Dump, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Xsave,
        layer,
        table,
    };
    let mut changes = Vec::new();
    if let Some(boot) = dump.boot_processor() {
        changes.extend(components(boot, &rule));
    }
    for (index, vcpu) in dump.vcpus.iter().enumerate() {
        let found = [Phase::Reset, Phase::Enabled]
            .into_iter()
            .flat_map(|phase| follows_control(vcpu, phase, &rule))
            .chain(turned_on(vcpu, &rule));
        changes.extend(found.map(|change| change.on(Side::Vcpu(index))));
    }
    changes
}

/// Sizes of components that do not add up in a dump of anybody's; nothing where a component that is offered was not read.
pub fn sizes(dump: &Dump, layer: Layer, table: &Table) -> Vec<Finding> {
    let rule = Rule {
        check: CheckId::Xsave,
        layer,
        table,
    };
    let Some(boot) = dump.boot_processor() else {
        return Vec::new();
    };
    let all_read = View::of_phase(boot, Phase::Reset, table).is_some_and(|view| all_read(&view));
    if all_read {
        components(boot, &rule)
    } else {
        Vec::new()
    }
}

fn all_read(view: &View<'_>) -> bool {
    let supervisor = view.regs(0xD, 1).is_some();
    offered(view).is_some_and(|(user, supervised)| {
        let mut offered = (2..63).filter(|number| (user | supervised) >> number & 1 == 1);
        supervisor && offered.all(|number| view.regs(0xD, number).is_some())
    })
}

/// The bits of the components that users and supervisors are offered.
fn offered(view: &View<'_>) -> Option<(u64, u64)> {
    let [user, _, _, user_high] = view.regs(0xD, 0)?;
    let [_, _, supervisor, supervisor_high] = view.regs(0xD, 1).unwrap_or_default();
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Some((join(user_high, user), join(supervisor_high, supervisor)))
}

/// End of the last of these components in the standard format.
fn size(view: &View<'_>, components: u64) -> u32 {
    let ends = (2..63)
        .filter(|component| components >> component & 1 == 1)
        .filter_map(|component| view.regs(0xD, component));
    ends.map(|[size, offset, ..]| size.saturating_add(offset))
        .fold(LEGACY, u32::max)
}

fn components(vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let view = View::of_phase(vcpu, Phase::Reset, rule.table);
    let Some((view, (user, supervisor))) = view.and_then(|view| Some((view, offered(&view)?)))
    else {
        return Vec::new();
    };
    if user == 0 {
        return Vec::new();
    }
    let mut changes = Vec::new();
    for component in 2..63 {
        let (user, supervisor) = (user >> component & 1, supervisor >> component & 1);
        if user + supervisor == 0 {
            continue;
        }
        if view.at("xstate-size", component).unwrap_or(0) == 0 {
            let (expected, actual) = ("offered: a size", "xstate-size = 0");
            changes.push(rule.field_differs("xstate-size", component, expected, actual));
        }
        let kind = u32::from(supervisor == 1);
        let shown = view.at("xstate-supervisor", component);
        changes.extend(rule.unless_equal("xstate-supervisor", component, kind, shown));
    }
    let max = size(&view, user);
    changes.extend(rule.unless_equal("xsave-size-max", 0, max, view.value("xsave-size-max")));
    changes
}

fn control(phase: &PhaseDump, control: Control) -> Option<u64> {
    match phase.control.get(&control)? {
        Reading::Value(value) => Some(*value),
        Reading::Fault(_) => None,
    }
}

fn follows_control(vcpu: &Vcpu, phase: Phase, rule: &Rule<'_>) -> Vec<Finding> {
    let (Some(state), Some(view)) = (vcpu.phase(phase), View::of_phase(vcpu, phase, rule.table))
    else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    if let Some(cr4) = control(state, Control::Cr4) {
        for (mirror, feature, bit) in MIRRORS {
            let set = u32::from(view.has(feature) && cr4 >> bit & 1 == 1);
            changes.extend(rule.unless_equal(mirror, 0, set, view.value(mirror)));
        }
    }
    // XCR0 is 1 until somebody writes it (SDM vol. 3, "Processor state after reset").
    let fresh = phase == Phase::Reset && !view.has("osxsave");
    let xcr0 = control(state, Control::Xcr0).or(fresh.then_some(1));
    if let (Some(xcr0), Some((user, _))) = (xcr0, offered(&view))
        && user != 0
    {
        let expected = size(&view, xcr0);
        let actual = view.value("xsave-size-enabled");
        changes.extend(rule.unless_equal("xsave-size-enabled", 0, expected, actual));
    }
    changes
}

/// What CPUID announces was turned on when the agent tried.
fn turned_on(vcpu: &Vcpu, rule: &Rule<'_>) -> Vec<Finding> {
    let Some(state) = vcpu.phase(Phase::Enabled).filter(|phase| phase.complete) else {
        return Vec::new();
    };
    let pairs = [
        ("cr4", Control::WantedCr4, Control::Cr4),
        ("xcr0", Control::WantedXcr0, Control::Xcr0),
    ];
    let judge = |(name, wanted, got): (&str, Control, Control)| {
        let (wanted, got) = (control(state, wanted)?, state.control.get(&got)?);
        if wanted == 0 || *got == Reading::Value(wanted) {
            return None;
        }
        let actual = match got {
            Reading::Value(value) => format!("{name} = {value:#x}"),
            Reading::Fault(vector) => format!("exception {vector}"),
        };
        let expected = format!("{name} = {wanted:#x}, as CPUID offers");
        let finding = rule.finding(Kind::Changed, name, expected, actual);
        Some(finding.at(Place::of_control(Phase::Enabled, name)))
    };
    pairs.into_iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fixture::{Row, answer, control, dump, sentences, table, vcpu};

    const XSAVE: u32 = 1 << 26;
    const OSXSAVE: u32 = 1 << 27;
    const AVX: Row = (0xD, 2, [256, 576, 0, 0]);

    fn found(vcpus: Vec<Vcpu>) -> Vec<String> {
        sentences(&xsave(&dump(vcpus), Layer::Qemu, &table()))
    }

    /// A processor with AVX state, as reset leaves it.
    fn boot() -> Vcpu {
        let rows = [
            (1, 0, [0, 0, XSAVE, 0]),
            (0xD, 0, [7, 576, 832, 0]),
            (0xD, 1, [0; 4]),
            AVX,
        ];
        vcpu(0, &rows)
    }

    /// The same after an OS turned XSAVE on, with this leaf 1 ECX and 0DH.0 EBX.
    fn enabled(ecx: u32, ebx: u32) -> Vcpu {
        let mut vcpu = boot();
        let rows = [(1, 0, [0, 0, ecx, 0]), (0xD, 0, [7, ebx, 832, 0]), AVX];
        answer(&mut vcpu, Phase::Enabled, &rows);
        for (place, value) in [
            (Control::WantedCr4, 1 << 18),
            (Control::Cr4, 1 << 18),
            (Control::WantedXcr0, 7),
            (Control::Xcr0, 7),
        ] {
            control(&mut vcpu, Phase::Enabled, place, value);
        }
        vcpu
    }

    #[test]
    fn sizes_that_add_up_give_no_finding() {
        let vcpu = enabled(XSAVE | OSXSAVE, 832);
        assert_eq!(found(vec![vcpu.clone(), vcpu]), Vec::<String>::new());
    }

    #[test]
    fn a_size_that_does_not_follow_xcr0_is_found() {
        assert_eq!(
            found(vec![boot(), enabled(XSAVE | OSXSAVE, 576)]),
            [
                "xsave: changed xsave-size-enabled vcpu1 CPUID.0DH.00H:EBX[31:0]: \
                 xsave-size-enabled = 832; xsave-size-enabled = 576"
            ]
        );
    }

    #[test]
    fn a_mirror_that_does_not_follow_cr4_is_found() {
        assert_eq!(
            found(vec![enabled(XSAVE, 832)]),
            ["xsave: changed osxsave CPUID.01H.00H:ECX[27]: osxsave = 1; osxsave = 0"]
        );
    }

    #[test]
    fn state_that_is_announced_and_refused_is_found() {
        let mut vcpu = enabled(XSAVE | OSXSAVE, 832);
        let refused = Reading::Fault(13);
        let phase = vcpu.phases.get_mut(&Phase::Enabled).expect("the phase");
        phase.control.insert(Control::Xcr0, refused);
        phase
            .control
            .insert(Control::WantedCr4, Reading::Value(0x4_0200));
        assert_eq!(
            found(vec![vcpu]),
            [
                "xsave: changed cr4 state.os-enabled.cr4: cr4 = 0x40200, as CPUID offers; cr4 = 0x40000",
                "xsave: changed xcr0 state.os-enabled.xcr0: xcr0 = 0x7, as CPUID offers; exception 13",
            ]
        );
    }

    #[test]
    fn a_dump_without_all_components_has_no_sizes_to_add_up() {
        let rows = [(0xD, 0, [7, 0x340, 0x988, 0]), (0xD, 1, [1, 0, 0, 0])];
        let found =
            |rows: &[Row]| sentences(&sizes(&dump(vec![vcpu(0, rows)]), Layer::Unknown, &table()));
        assert_eq!(found(&rows), Vec::<String>::new());
        let [first, second] = rows;
        assert_eq!(
            found(&[first, second, (0xD, 2, [0x100, 0x240, 0, 0])]),
            [
                "xsave: changed xsave-size-max CPUID.0DH.00H:ECX[31:0]: xsave-size-max = 832; xsave-size-max = 2440"
            ]
        );
    }

    #[test]
    fn components_that_do_not_add_up_are_found() {
        let mut boot = boot();
        let rows = [(0xD, 0, [7, 576, 1088, 0]), (0xD, 2, [0, 576, 1, 0])];
        answer(&mut boot, Phase::Reset, &rows);
        assert_eq!(
            found(vec![boot]),
            [
                "xsave: changed xstate-size CPUID.0DH.02H:EAX[31:0]: offered: a size; xstate-size = 0",
                "xsave: changed xstate-supervisor CPUID.0DH.02H:ECX[0]: xstate-supervisor = 0; xstate-supervisor = 1",
                "xsave: changed xsave-size-max CPUID.0DH.00H:ECX[31:0]: xsave-size-max = 576; xsave-size-max = 1088",
            ]
        );
    }
}
