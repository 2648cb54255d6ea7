//! libvirt's answers tried in guests: [`answers`] those that schedulers ask for, [`policies`] what `check`, `match` and `policy` do;
//! [`releases`] compares the answers of two libvirts.

pub mod answers;
pub mod policies;
pub mod releases;
