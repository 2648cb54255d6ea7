//! What libvirt makes of a feature.

use super::Reader;
use crate::check::libvirt_map::spot;
use crate::cpuid::table::Field;
use crate::evidence::libvirt::cpu_map::CpuMap;
use crate::evidence::libvirt::layer::LibvirtLayer;
use crate::evidence::libvirt::to_qemu::names;
use crate::explain::sources::Unseen;
use crate::explain::{Cause, Claim, State};
use crate::vmm::failure::BootFailureKind;

impl Reader<'_> {
    /// What libvirt makes of the feature, and why it takes it where it does; `None` in other lanes.
    pub(super) fn libvirt(&self) -> Option<(Claim, Option<Cause>)> {
        let map = match self.sources.cpu_map.as_ref()? {
            Ok(map) => map,
            Err(reason) => return Some((Claim::unknown(reason), None)),
        };
        let spot = spot(self.field);
        let nameless = map.at(spot).is_none();
        Some(match (&self.sources.unseen, &self.sources.layers.libvirt) {
            (Some(unseen), _) => refused(unseen, nameless),
            (None, None) => (
                Claim::unknown("libvirt reported nothing about the guest"),
                None,
            ),
            (None, Some(_)) if nameless => {
                let evidence = format!("cpu_map has no {spot}: the live XML cannot show it");
                (Claim::unknown(evidence), None)
            }
            (None, Some(layer)) => from_live_xml(map, self.field, layer),
        })
    }
}

/// Why no guest ran; `nameless` where cpu_map has no name for the feature's bit.
fn refused(unseen: &Unseen, nameless: bool) -> (Claim, Option<Cause>) {
    match unseen.kind {
        BootFailureKind::LibvirtHasNoName if nameless => {
            let claim = Claim::new(State::Absent, "cpu_map has no name for its bit");
            (claim, Some(Cause::LibvirtHasNoName))
        }
        BootFailureKind::RefusedByLibvirt => {
            let own = unseen.reason.strip_prefix("libvirt: ");
            let message = own.unwrap_or(&unseen.reason).to_owned();
            let claim = Claim::new(State::Absent, "virsh create");
            (claim, Some(Cause::LibvirtRefused { message }))
        }
        _ => (Claim::unknown("the guest did not run"), None),
    }
}

/// What the live XML shows of the feature, and why it takes the feature where it does.
fn from_live_xml(map: &CpuMap, field: &Field, layer: &LibvirtLayer) -> (Claim, Option<Cause>) {
    let name = map.at(spot(field)).map_or("", |feature| &feature.name);
    let claim = layer.claims.iter().find(|claim| claim.feature == name);
    let Some(claim) = claim else {
        let evidence = format!("the live XML does not mention {name}");
        return (Claim::unknown(evidence), None);
    };
    let evidence = format!("live XML, {}: {}", claim.feature, claim.by);
    let state = State::from_reading(Some(claim.has));
    let request = layer
        .requests
        .iter()
        .find(|request| request.feature == name);
    let argument = layer.cpu_argument().unwrap_or_default();
    let given = argument.split(',').next().unwrap_or_default();
    let cause = match (claim.has, request, &layer.model) {
        (true, ..) => None,
        (false, Some(request), _) if request.policy.gives() == Some(false) => {
            let policy = request.policy.name().to_owned();
            Some(Cause::LibvirtPolicy { policy })
        }
        (false, _, Some(model)) if model != given => {
            let model = given.to_owned();
            Some(Cause::LibvirtFallback { model })
        }
        (false, None, _) => turned_off(map, name, layer),
        // libvirt only reports here what QEMU did.
        _ => None,
    };
    (Claim::new(state, evidence), cause)
}

/// The flag by which libvirt turns the feature off though nothing asks for it.
fn turned_off(map: &CpuMap, name: &str, layer: &LibvirtLayer) -> Option<Cause> {
    let names = names(map.feature(name), name);
    let mut flags = layer.made_argument()?.split(',').skip(1);
    let is_it = |flag: &&str| {
        let (own, value) = flag.split_once('=').unwrap_or((flag, "on"));
        value == "off" && names.iter().any(|name| name == own)
    };
    let flag = flags.find(is_it)?.to_owned();
    Some(Cause::LibvirtTurnsOff { flag })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::table::Table;
    use crate::evidence::libvirt::layer::{Claim as LibvirtClaim, Request};
    use crate::vmm::libvirt::domain::Policy;

    fn table() -> Table {
        let row = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n";
        Table::parse("features.tsv", row).expect("a table")
    }

    fn map() -> CpuMap {
        let text = "<cpus><arch name='x86'><feature name='avx2'><cpuid eax_in='0x07' ebx='0x20'/></feature></arch></cpus>";
        CpuMap::parse(&[("index.xml".to_owned(), text.to_owned())].into()).expect("a map")
    }

    fn layer(policy: Policy, argument: &str) -> LibvirtLayer {
        let table = table();
        let field = table.named("avx2").expect("a field");
        LibvirtLayer {
            asked: String::new(),
            live: String::new(),
            command: ["-cpu", argument].map(str::to_owned).into(),
            capabilities: None,
            model: Some("EPYC".to_owned()),
            removed: Vec::new(),
            properties: Vec::new(),
            requests: vec![Request {
                feature: "avx2".to_owned(),
                names: Vec::new(),
                policy,
            }],
            claims: vec![LibvirtClaim {
                feature: "avx2".to_owned(),
                spots: vec![spot(field)],
                has: false,
                by: "policy disable".to_owned(),
            }],
        }
    }

    fn cause(policy: Policy, argument: &str) -> Option<String> {
        let table = table();
        let field = table.named("avx2").expect("a field");
        let (claim, cause) = from_live_xml(&map(), field, &layer(policy, argument));
        assert_eq!(claim.state, State::Absent);
        cause.map(|cause| cause.to_string())
    }

    #[test]
    fn what_libvirt_takes_is_not_blamed_on_qemu() {
        assert_eq!(
            cause(Policy::Forbid, "EPYC").as_deref(),
            Some("taken by libvirt: policy forbid in the XML")
        );
        assert_eq!(
            cause(Policy::Require, "kvm64").as_deref(),
            Some("libvirt took the model kvm64 instead")
        );
        assert_eq!(cause(Policy::Require, "EPYC"), None);
        let mut unasked = layer(Policy::Require, "EPYC,avx2=off");
        unasked.requests.clear();
        let table = table();
        let field = table.named("avx2").expect("a field");
        let (_, cause) = from_live_xml(&map(), field, &unasked);
        assert_eq!(
            cause.map(|cause| cause.to_string()).as_deref(),
            Some("taken by libvirt: it passes avx2=off, which the XML does not ask for")
        );
    }

    #[test]
    fn a_refusal_keeps_libvirts_message() {
        use BootFailureKind as Kind;
        let cause = |kind, reason: &str, nameless| {
            let reason = reason.to_owned();
            let (_, cause) = refused(&Unseen { kind, reason }, nameless);
            cause.map(|cause| cause.to_string())
        };
        let no_name = "libvirt cannot express -cpu a: +b: libvirt has no name for b";
        assert_eq!(
            cause(Kind::LibvirtHasNoName, no_name, true).as_deref(),
            Some("libvirt has no name for it")
        );
        // Another feature of the argument has no name.
        assert_eq!(cause(Kind::LibvirtHasNoName, no_name, false), None);
        let refusal = "libvirt: guest CPU doesn't match";
        assert_eq!(
            cause(Kind::RefusedByLibvirt, refusal, false).as_deref(),
            Some("libvirt did not start the guest: guest CPU doesn't match")
        );
        let timeout = Kind::TimedOut(std::time::Duration::from_secs(1));
        assert_eq!(cause(timeout, "timed out", false), None);
    }
}
