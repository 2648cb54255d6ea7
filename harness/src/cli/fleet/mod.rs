//! `fleet`: the CPU that every one of many hosts can give.

mod arguments;
mod boot;
mod direct;
mod hosts;
mod labs;
mod tried;
mod verb;

pub use arguments::Fleet;
pub use verb::run;
