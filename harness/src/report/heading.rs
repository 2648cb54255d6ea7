//! The head of an output that shows a guest: which one it is, and how its lane runs it. Lanes show different CPUs, and verbs differ in the
//! lane that they take by themselves.

use crate::case::{Case, Lane, Starter};
use crate::evidence::RecordedCase;
use crate::util::printable::line;

/// `-cpu EPYC-v4 on q35, qemu-11.1 (11.1.3), lane definition, -smp 1`.
pub fn guest(case: &Case) -> String {
    let machine = match case.run_as.starter {
        Starter::Harness => String::new(),
        _ => {
            let qemu = &case.qemu;
            format!(
                " on {}, {} ({})",
                case.machine, qemu.label, qemu.offers.version
            )
        }
    };
    let kernel = match (&case.host, &case.linux) {
        (Some(host), _) => format!(" in the lab of {}", host.label()),
        (None, Some(kernel)) => format!(", kernel {}", kernel.label),
        (None, None) => String::new(),
    };
    line(&format!(
        "-cpu {}{machine}, lane {}, -smp {}{kernel}",
        case.cpu,
        case.lane,
        case.smp.as_str()
    ))
    .into_owned()
}

/// The same of a record.
pub fn recorded(case: &RecordedCase) -> String {
    let machine = match case.run_as.starter {
        Starter::Harness => String::new(),
        _ => format!(" on {}, qemu-{}", case.machine, case.qemu),
    };
    let kernel = case
        .host
        .as_ref()
        .map(|host| format!(" in the lab of {host}"));
    line(&format!(
        "-cpu {}{machine}, lane {}, -smp {}{}",
        case.cpu,
        case.lane,
        case.smp,
        kernel.unwrap_or_default()
    ))
    .into_owned()
}

/// `lane tcg: TCG as a user gets it: features that TCG does not emulate are filtered`.
pub fn lane(lane: Lane) -> String {
    format!("lane {lane}: {}", lane.about())
}

/// Both as comments of expectation lines, which are passed over where the lines are read back.
pub fn comments(guest: &str, of: Lane) -> String {
    format!("# {guest}\n# {}\n", lane(of))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::case::Qemu;

    #[test]
    fn a_guest_is_named_with_its_qemu_its_machine_type_its_lane_and_its_model() {
        let qemu = Arc::new(Qemu::none());
        let case = Case::new(&qemu, Lane::TCG, "pc-q35-8.2", "EPYC-v4,+x2apic");
        let version = &qemu.offers.version;
        let (label, smp) = (&qemu.label, "-smp 1");
        assert_eq!(
            guest(&case),
            format!("-cpu EPYC-v4,+x2apic on pc-q35-8.2, {label} ({version}), lane tcg, {smp}")
        );
        assert_eq!(
            comments("x", Lane::TCG),
            "# x\n# lane tcg: TCG as a user gets it: features that TCG does not emulate are filtered\n"
        );
        let mut alone = case;
        alone.run_as = Lane::KVM_DIRECT.run_as();
        assert_eq!(
            guest(&alone),
            format!("-cpu EPYC-v4,+x2apic, lane tcg, {smp}")
        );
    }
}
