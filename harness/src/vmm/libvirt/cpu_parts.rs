//! Parts of a `<cpu>` that are neither a model nor a feature, as XML and as properties of QEMU's `-cpu`.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::escape::escaped;
use super::setting::Property;

/// `<cache>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// `emulate`, `passthrough` or `disable`.
    pub mode: String,
    /// 3, for `emulate`.
    pub level: Option<u32>,
}

/// `<maxphysaddr>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBits {
    /// `emulate` or `passthrough`.
    pub mode: String,
    /// How many, for `emulate`.
    pub bits: Option<u32>,
    /// At most so many, for `passthrough`.
    pub limit: Option<u32>,
}

impl Cache {
    /// What QEMU is given; `host` says whether the CPU is that of the host, whose caches QEMU can show.
    pub fn properties(&self, host: bool) -> Vec<Property> {
        let host_off = host.then_some("host-cache-info=off");
        match self.mode.as_str() {
            "emulate" => properties([Some("l3-cache=on"), host_off]),
            "passthrough" => properties([Some("host-cache-info=on"), Some("l3-cache=off")]),
            "disable" => properties([host_off, Some("l3-cache=off")]),
            _ => Vec::new(),
        }
    }

    /// Why libvirt refuses it; `None` where it does not (qemuValidateDomainDefCpu).
    pub fn refusal(&self, host: bool) -> Option<String> {
        let Cache { mode, level } = self;
        match (mode.as_str(), level) {
            ("emulate", Some(3)) | ("disable", None) => None,
            ("emulate", _) => Some("cache mode emulate: libvirt takes level 3 only".to_owned()),
            ("passthrough", None) if host => None,
            ("passthrough", None) => Some(
                "cache mode passthrough: libvirt takes it with host-passthrough and maximum only"
                    .to_owned(),
            ),
            ("passthrough" | "disable", Some(_)) => Some(format!(
                "cache mode {mode}: libvirt takes it without a level only"
            )),
            _ => Some(format!(
                "cache mode {mode}: libvirt has emulate, passthrough and disable"
            )),
        }
    }

    /// The cache that makes these properties. `l3` is `l3-cache`, `host` is `host-cache-info`.
    pub fn of_properties(l3: Option<bool>, host: Option<bool>) -> Option<Cache> {
        let (mode, level) = match (l3, host) {
            (Some(true), None | Some(false)) => ("emulate", Some(3)),
            (Some(false), Some(true)) => ("passthrough", None),
            (Some(false), None | Some(false)) => ("disable", None),
            _ => return None,
        };
        let mode = mode.to_owned();
        Some(Cache { mode, level })
    }

    pub(super) fn xml(&self) -> String {
        let level = self
            .level
            .map_or(String::new(), |level| format!(" level='{level}'"));
        format!("<cache{level} mode='{}'/>", escaped(&self.mode))
    }
}

impl AddressBits {
    /// What QEMU is given.
    pub fn properties(&self) -> Vec<Property> {
        let number = |name: &str, value: u32| (name.to_owned(), value.to_string());
        match (self.mode.as_str(), self.bits.filter(|bits| *bits > 0)) {
            ("emulate", Some(bits)) => vec![number("phys-bits", bits)],
            ("emulate", None) => properties([Some("host-phys-bits=off"), None]),
            ("passthrough", _) => {
                let limit = self.limit.filter(|limit| *limit > 0);
                let limit = limit.map(|limit| number("host-phys-bits-limit", limit));
                let mut all = properties([Some("host-phys-bits=on"), None]);
                all.extend(limit);
                all
            }
            _ => Vec::new(),
        }
    }

    /// Why libvirt refuses it; `None` where it does not.
    pub fn refusal(&self) -> Option<String> {
        match (self.mode.as_str(), self.bits, self.limit) {
            ("emulate", _, None) | ("passthrough", None, _) => None,
            ("emulate", _, Some(_)) => Some(
                "maxphysaddr mode emulate: libvirt takes limit with passthrough only".to_owned(),
            ),
            ("passthrough", Some(_), _) => Some(
                "maxphysaddr mode passthrough: libvirt takes bits with emulate only".to_owned(),
            ),
            (mode, ..) => Some(format!(
                "maxphysaddr mode {mode}: libvirt has emulate and passthrough"
            )),
        }
    }

    pub(super) fn xml(&self) -> String {
        let mut xml = format!("<maxphysaddr mode='{}'", escaped(&self.mode));
        for (name, value) in [("bits", self.bits), ("limit", self.limit)] {
            if let Some(value) = value {
                let _ = write!(xml, " {name}='{value}'");
            }
        }
        xml + "/>"
    }
}

fn properties(all: [Option<&str>; 2]) -> Vec<Property> {
    let pairs = all
        .into_iter()
        .flatten()
        .filter_map(|text| text.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(mode: &str, level: Option<u32>) -> Cache {
        let mode = mode.to_owned();
        Cache { mode, level }
    }

    fn text(properties: &[Property]) -> String {
        let all: Vec<String> = properties
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        all.join(",")
    }

    #[test]
    fn caches_are_properties_and_back() {
        for (mode, level, named, host) in [
            (
                "emulate",
                Some(3),
                "l3-cache=on",
                "l3-cache=on,host-cache-info=off",
            ),
            (
                "disable",
                None,
                "l3-cache=off",
                "host-cache-info=off,l3-cache=off",
            ),
            (
                "passthrough",
                None,
                "host-cache-info=on,l3-cache=off",
                "host-cache-info=on,l3-cache=off",
            ),
        ] {
            let cache = cache(mode, level);
            assert_eq!(text(&cache.properties(false)), named);
            assert_eq!(text(&cache.properties(true)), host);
            for text in [named, host] {
                let find = |name: &str| {
                    let mut all = text.split(',').filter_map(|part| part.split_once('='));
                    all.find(|(own, _)| *own == name)
                        .map(|(_, value)| value == "on")
                };
                let back = Cache::of_properties(find("l3-cache"), find("host-cache-info"));
                assert_eq!(back.as_ref(), Some(&cache));
            }
        }
    }

    #[test]
    fn what_libvirt_refuses_has_a_reason() {
        assert_eq!(cache("passthrough", None).refusal(true), None);
        for (cache, reason) in [
            (
                cache("emulate", Some(2)),
                "cache mode emulate: libvirt takes level 3 only",
            ),
            (
                cache("disable", Some(3)),
                "cache mode disable: libvirt takes it without a level only",
            ),
            (
                cache("off", None),
                "cache mode off: libvirt has emulate, passthrough and disable",
            ),
        ] {
            assert_eq!(cache.refusal(false).as_deref(), Some(reason));
        }
        let named = cache("passthrough", None).refusal(false);
        assert!(named.is_some_and(|reason| reason.contains("host-passthrough and maximum only")));
    }

    #[test]
    fn address_bits_are_properties() {
        let bits = |mode: &str, bits, limit| AddressBits {
            mode: mode.to_owned(),
            bits,
            limit,
        };
        assert_eq!(
            text(&bits("emulate", Some(42), None).properties()),
            "phys-bits=42"
        );
        assert_eq!(
            text(&bits("emulate", None, None).properties()),
            "host-phys-bits=off"
        );
        let limited = bits("passthrough", None, Some(39));
        assert_eq!(
            text(&limited.properties()),
            "host-phys-bits=on,host-phys-bits-limit=39"
        );
        assert_eq!(
            limited.xml(),
            "<maxphysaddr mode='passthrough' limit='39'/>"
        );
        assert_eq!(limited.refusal(), None);
        assert!(bits("passthrough", Some(4), None).refusal().is_some());
        assert!(bits("emulate", Some(4), Some(4)).refusal().is_some());
    }
}
