//! `behaviour`: which features do otherwise than CPUID says: as it was recorded ([`verb`]), and measured anew ([`measure`]).

mod arguments;
mod measure;
mod verb;

pub use arguments::Behaviour;
pub use verb::run;
