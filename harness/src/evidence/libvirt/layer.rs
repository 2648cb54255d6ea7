//! What libvirt reports of one guest, in a shape that checks can compare with the guest without libvirt's files.

use serde::{Deserialize, Serialize};

use super::command_line::last;
use super::cpu_map::{CpuMap, Feature, Spot};
use super::domain::DomainXml;
use super::to_qemu::{after_features, before_features, names};
use crate::vmm::libvirt::domain::{GuestCpu, Policy};
use crate::vmm::libvirt::setting::{Property, Settings};

/// A feature that the live XML speaks of, whether by its model or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// libvirt's name.
    pub feature: String,
    /// Its bits.
    pub spots: Vec<Spot>,
    /// Whether libvirt reports that the guest has it.
    pub has: bool,
    /// Where that stands: `policy disable`, `model EPYC`.
    pub by: String,
}

/// A feature that was asked for by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// libvirt's name.
    pub feature: String,
    /// What QEMU may call it.
    pub names: Vec<String>,
    /// How it was asked for.
    pub policy: Policy,
}

/// libvirt's layer of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibvirtLayer {
    /// The `<cpu>` that was asked for.
    pub asked: String,
    /// The domain's XML once it was started (VIR_DOMAIN_XML_UPDATE_CPU is implied for what runs).
    pub live: String,
    /// QEMU's command line as libvirt made it.
    pub command: Vec<String>,
    /// What libvirt reports that this QEMU can do (`domcapabilities`), where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// Features that were removed from that model since, by any name: libvirt turns them off where the XML does not mention them, so that guests that
    /// migrate keep what they started with (measured; `removed='yes'` in the map).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// What was asked for by name.
    pub requests: Vec<Request>,
    /// What was asked for beside features: properties of QEMU's `-cpu`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// What the live XML reports, feature by feature.
    pub claims: Vec<Claim>,
}

impl LibvirtLayer {
    /// Of what was asked for, the live XML and the command line.
    ///
    /// # Errors
    /// The XML cannot be read.
    pub fn read(
        map: &CpuMap,
        asked: &str,
        live: &str,
        command: &[String],
    ) -> Result<LibvirtLayer, String> {
        // Of a domain without a <cpu> nothing was asked, and libvirt takes QEMU's default.
        let wanted = if asked.is_empty() {
            GuestCpu::default()
        } else {
            DomainXml::read(asked)?.cpu.unwrap_or_default()
        };
        let given = DomainXml::read(live)?.cpu.unwrap_or_default();
        Ok(LibvirtLayer {
            asked: asked.to_owned(),
            live: live.to_owned(),
            command: command.to_vec(),
            capabilities: None,
            requests: requests(map, &wanted),
            removed: removed(map, &wanted),
            properties: properties(&wanted, &Settings::default()),
            claims: claims(map, &given),
            model: wanted.model,
        })
    }

    /// The same with what the domain asks for beside its `<cpu>`.
    pub fn with_settings(mut self, settings: &Settings) -> LibvirtLayer {
        let wanted = DomainXml::read(&self.asked)
            .ok()
            .and_then(|asked| asked.cpu);
        self.properties = properties(&wanted.unwrap_or_default(), settings);
        self
    }

    /// The `-cpu` argument that QEMU takes: the last one.
    pub fn cpu_argument(&self) -> Option<&str> {
        last(&self.command, "-cpu")
    }

    /// The `-cpu` argument that libvirt made of the `<cpu>`: those of `<qemu:commandline>` stand behind it.
    pub fn made_argument(&self) -> Option<&str> {
        let mut words = self.command.iter();
        words.find(|argument| *argument == "-cpu")?;
        words.next().map(String::as_str)
    }
}

fn properties(cpu: &GuestCpu, settings: &Settings) -> Vec<Property> {
    let before = before_features(cpu).into_iter();
    before.chain(after_features(cpu, settings)).collect()
}

/// Features that libvirt turns off by itself, by any name.
pub fn removed(map: &CpuMap, cpu: &GuestCpu) -> Vec<String> {
    let model = cpu.model.as_ref().and_then(|name| map.models.get(name));
    let all = model.into_iter().flat_map(|model| &model.removed);
    all.flat_map(|name| names(map.feature(name), name))
        .collect()
}

fn requests(map: &CpuMap, cpu: &GuestCpu) -> Vec<Request> {
    let request = |(name, policy): &(String, Policy)| Request {
        feature: name.clone(),
        names: names(map.feature(name), name),
        policy: *policy,
    };
    cpu.features.iter().map(request).collect()
}

/// What a `<cpu>` asks of each feature: a feature by its policy where it has one, else by the model; of what neither names, that the guest
/// has not got it, as far as there is a model.
pub fn claims(map: &CpuMap, cpu: &GuestCpu) -> Vec<Claim> {
    let model = cpu
        .model
        .as_ref()
        .and_then(|name| Some((name, map.models.get(name)?)));
    let claim = |feature: &Feature| {
        let named = cpu.features.iter().find(|(name, _)| *name == feature.name);
        let (has, by) = match (named, model) {
            (Some((_, policy)), _) => (policy.gives()?, format!("policy {}", policy.name())),
            // QEMU had it once: libvirt reports neither.
            (None, Some((_, model))) if model.removed.contains(&feature.name) => return None,
            (None, Some((name, model))) => (
                model.features.contains(&feature.name),
                format!("model {name}"),
            ),
            (None, None) => return None,
        };
        Some(Claim {
            feature: feature.name.clone(),
            spots: feature.spots.clone(),
            has,
            by,
        })
    };
    map.features.iter().filter_map(claim).collect()
}
