//! `behaviour`: which features do otherwise than CPUID says: as it was recorded ([`verb`]), measured anew ([`measure`]), and on Bochs ([`emulator`]).

mod arguments;
mod emulator;
mod measure;
mod verb;

pub use arguments::Behaviour;
pub use verb::run;
