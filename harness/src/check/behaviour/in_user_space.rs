//! What is known of a probe in user space of a Linux guest, beside its answer.

/// What a kernel makes of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// /proc/cpuinfo has its flag.
    Yes,
    /// The kernel knows the flag, and leaves it out.
    No,
    /// The kernel has no name for it.
    Unnamed,
}

/// What is known beside a probe's answer in user space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUserSpace {
    /// What the kernel makes of the feature.
    pub shown: Shown,
    /// What the probe gives there where it works.
    pub answers: Vec<&'static str>,
    /// What it gave without an operating system on the same CPU; `None` where nobody tried.
    pub without_kernel: Option<String>,
}
