//! Two inputs compared, as both forms of output take it.

use cpuid_fidelity::check::inputs::Comparison;
use cpuid_fidelity::describe::ControlChange;

/// What is printed.
pub struct Shown<'a> {
    /// What the sides are.
    pub titles: [&'a str; 2],
    /// What differs.
    pub comparison: &'a Comparison,
    /// Controls of VMX that a hypervisor may set otherwise: what the bits that differ mean.
    pub controls: &'a [ControlChange],
    /// Lines of further phases of two dumps of ours, `-` and `+`.
    pub lines: &'a [String],
}
