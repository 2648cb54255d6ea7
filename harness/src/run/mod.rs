//! Trials run: the scheduler, the cache of guests by [`crate::case::CaseId`], and the verdicts. No lane is named here.
//!
//! [`engine`] boots a case and what it needs first, [`all`](mod@all) runs the trials of a plan, [`judge`] compares a trial's cases with
//! what is expected. [`migrate`] takes guests from one QEMU to another, [`releases`] compares two releases, [`versions`] two models, and
//! [`causes`] measures which compat property a machine type's difference comes from. [`explain`] asks all layers of one feature,
//! [`mod@check`] judges a guest that somebody names, [`record`](mod@record) keeps all layers of a case, [`mod@baseline`] those of a host.
//! [`recording`] notes what trials show, and [`release_day`] does so for a release that nobody recorded.
//! [`behaviour`](mod@behaviour) boots guests to record what features do, [`oracle`] tries the table of probes on Bochs, [`catalogue`] measures
//! QEMU's feature names, [`libvirt`] tries libvirt's answers, [`mod@look`] is one candidate of a bisect.

pub mod all;
pub mod baseline;
pub mod behaviour;
pub mod catalogue;
pub mod causes;
pub mod check;
pub mod engine;
pub mod explain;
pub mod judge;
pub mod libvirt;
pub mod look;
pub mod migrate;
pub mod oracle;
pub mod order;
pub mod record;
pub mod record_host;
pub mod recording;
pub mod release_day;
pub mod releases;
mod unmet;
pub mod verdict;
pub mod versions;

pub use all::{all, skip};
pub use baseline::Baseline;
pub use engine::{Engine, Gathered};
pub use judge::vanished;
