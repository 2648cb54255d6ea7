//! The lanes that there are.

use std::sync::Arc;

use super::Backend;
use super::definition::Definition;
use super::kvm::Kvm;
use super::kvm_direct::KvmDirect;
use super::lab::Lab;
use super::libvirt::LibvirtLane;
use super::linux::Linux;
use super::tcg::Tcg;
use crate::case::Lane;

/// Lanes by name, in the order of plans.
#[derive(Clone)]
pub struct Registry(Vec<Arc<dyn Backend>>);

impl Default for Registry {
    fn default() -> Registry {
        Registry(vec![
            Arc::new(Definition),
            Arc::new(Tcg),
            Arc::new(Kvm),
            Arc::new(LibvirtLane),
            Arc::new(KvmDirect),
            Arc::new(Lab),
            Arc::new(Linux),
        ])
    }
}

impl Registry {
    /// With a further lane.
    #[must_use]
    pub fn with(mut self, lane: impl Backend + 'static) -> Registry {
        self.0.push(Arc::new(lane));
        self
    }

    /// All lanes.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Backend> {
        self.0.iter().map(|lane| &**lane)
    }

    /// What a lane does; `None` where it is not registered.
    pub fn get(&self, lane: Lane) -> Option<&dyn Backend> {
        self.iter().find(|backend| backend.lane() == lane)
    }
}
