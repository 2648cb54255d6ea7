//! libvirt's answers tried in guests: [`answers`] those that schedulers ask for, [`policies`] what `check`, `match` and `policy` do.

pub mod answers;
pub mod policies;
