//! Messages to people, beside the output.

/// As `eprintln!`, through the writer that spells out what is not printable.
macro_rules! complain {
    ($($argument:tt)*) => {
        cpuid_fidelity::util::console::complain(&format!($($argument)*))
    };
}
