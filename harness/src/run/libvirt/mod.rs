//! libvirt's answers tried in guests: [`answers`] those that schedulers ask for, [`policies`] what `check`, `match` and `policy` do;
//! [`hosts`] are those that baselines are made of. [`releases`] compares the answers of two libvirts.

pub mod answers;
pub mod hosts;
pub mod policies;
pub mod releases;
pub mod tried;
