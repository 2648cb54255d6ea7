//! What libvirt promises of hosts is what these hosts have: a baseline has nothing that one of its hosts lacks, and `host-model` nothing that
//! neither the processor nor KVM gives.

use crate::evidence::libvirt::cpu_map::Spot;
use crate::evidence::libvirt::layer::Claim;

/// Features whose bit follows what an operating system does, or that no host shows and every guest has.
const NOT_OF_HOSTS: [&str; 3] = ["osxsave", "ospke", "hypervisor"];

/// The features that `claims` promises and a host is known to lack, a sentence each. `has` says whether it has a bit, `None` where that is
/// unknown; `host` is what it is called.
pub fn beyond(claims: &[Claim], host: &str, has: impl Fn(Spot) -> Option<bool>) -> Vec<String> {
    let lacking = promised(claims).filter_map(|claim| {
        let missing = claim.spots.iter().find(|spot| has(**spot) == Some(false))?;
        let Claim { feature, by, .. } = claim;
        Some(format!(
            "{feature} at {missing}: set by the answer ({by}), clear in {host}"
        ))
    });
    lacking.collect()
}

/// What is promised of hosts. VMX's controls are in libvirt's models whether or not VMX is, without which they are nothing.
fn promised(claims: &[Claim]) -> impl Iterator<Item = &Claim> {
    let promises = |name: &str| {
        claims
            .iter()
            .any(|claim| claim.has && claim.feature == name)
    };
    let vmx = promises("vmx");
    claims.iter().filter(move |claim| {
        let name = claim.feature.as_str();
        claim.has && !NOT_OF_HOSTS.contains(&name) && (vmx || !name.starts_with("vmx-"))
    })
}

/// The names of the features that `claims` promises and a host is known to lack.
pub fn lacking(claims: &[Claim], has: impl Fn(Spot) -> Option<bool>) -> Vec<&str> {
    let lacks = |claim: &&Claim| claim.spots.iter().any(|spot| has(*spot) == Some(false));
    let names = promised(claims).filter(lacks);
    names.map(|claim| claim.feature.as_str()).collect()
}

/// The features that every host is known to have and the answer leaves out: what a smaller baseline costs. `has` as above, by host.
pub fn left_out<'a>(claims: &'a [Claim], hosts: &[impl Fn(Spot) -> Option<bool>]) -> Vec<&'a str> {
    let absent = claims
        .iter()
        .filter(|claim| !claim.has && !claim.spots.is_empty());
    let everywhere = |claim: &&Claim| {
        let mut hosts = hosts.iter();
        hosts.all(|has| claim.spots.iter().all(|spot| has(*spot) == Some(true)))
    };
    absent
        .filter(everywhere)
        .map(|claim| claim.feature.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::answers::Key;
    use crate::cpuid::bit::Bit;

    fn bit(bit: u8) -> Spot {
        let key = Key::new(1, 0);
        Spot::Cpuid(Bit {
            key,
            register: 2,
            bit,
        })
    }

    fn claim(feature: &str, spot: Spot, has: bool) -> Claim {
        let by = if has { "policy require" } else { "model A" };
        Claim {
            feature: feature.to_owned(),
            spots: vec![spot],
            has,
            by: by.to_owned(),
        }
    }

    /// A host with bit 0 and without bit 5, of which no MSR is known.
    fn host(spot: Spot) -> Option<bool> {
        match spot {
            Spot::Cpuid(bit) => Some(bit.bit == 0),
            Spot::Msr(..) => None,
        }
    }

    #[test]
    fn what_a_host_lacks_must_not_be_promised() {
        let promised = [
            claim("pni", bit(0), true),
            claim("vmx", bit(5), true),
            claim("x", Spot::Msr(1, 1), true),
            claim("hypervisor", bit(31), true),
            claim("none", bit(6), false),
        ];
        assert_eq!(
            beyond(&promised, "a.json", host),
            ["vmx at CPUID.01H.00H:ECX[5]: set by the answer (policy require), clear in a.json"]
        );
    }

    #[test]
    fn controls_of_vmx_are_promised_with_vmx_alone() {
        let control = claim("vmx-hlt-exit", bit(7), true);
        let without = [control.clone(), claim("vmx", bit(5), false)];
        assert_eq!(lacking(&without, host), [""; 0]);
        let with = [control, claim("vmx", bit(5), true)];
        assert_eq!(lacking(&with, host), ["vmx-hlt-exit", "vmx"]);
    }

    #[test]
    fn what_all_hosts_have_and_the_answer_does_not_is_named() {
        let claims = [
            claim("pni", bit(0), false),
            claim("vmx", bit(5), false),
            claim("x", Spot::Msr(1, 1), false),
        ];
        assert_eq!(left_out(&claims, &[host, host]), ["pni"]);
    }
}
