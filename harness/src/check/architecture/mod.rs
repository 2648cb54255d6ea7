//! The rules of the architecture over CPUID and MSRs of one guest, whoever made them: they need neither `-smp` nor another layer.

mod all;
pub mod components;
pub mod dependencies;
pub mod geometry;
pub mod leaves;
pub mod msr_values;
mod seen;

pub use all::{all, of_excerpt};
