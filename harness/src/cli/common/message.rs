//! Messages to people, beside the output.

/// As `eprintln!`, through the writer that spells out what is not printable ([`cpuid_fidelity::util::terminal::note`]).
macro_rules! note {
    ($($argument:tt)*) => {
        cpuid_fidelity::util::terminal::note(&format!($($argument)*))
    };
}
