//! A host without a guest: its hardware, its kernel, its KVM, and what QEMU makes of `host` there.

use serde::{Deserialize, Serialize};

use super::qemu::Properties;
use super::record::VERSION;
use crate::host::{Found, HostLayer, KvmLayer};

/// A host as data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// [`VERSION`].
    pub record: u32,
    /// What it is called, as `uname -n` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Hardware and kernel.
    pub host: HostLayer,
    /// KVM, or why it could not be asked.
    pub kvm: Found<KvmLayer>,
    /// What QEMUs there make of `-cpu host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub qemu: Vec<Expansion>,
}

/// `query-cpu-model-expansion` of `host` under KVM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expansion {
    /// Version of QEMU.
    pub qemu: String,
    /// Properties and their values.
    pub properties: Properties,
}

impl HostRecord {
    /// This host.
    pub fn of_this_host() -> HostRecord {
        let kvm = match KvmLayer::of_this_host() {
            Ok(layer) => Found::Value(layer),
            Err(error) => Found::Unreadable(error.to_string()),
        };
        HostRecord::new(HostLayer::of_this_host(), kvm)
    }

    /// A host of its layers.
    pub fn new(host: HostLayer, kvm: Found<KvmLayer>) -> HostRecord {
        HostRecord {
            record: VERSION,
            name: None,
            host,
            kvm,
            qemu: Vec::new(),
        }
    }
}
