//! What of a kernel's command line takes features from it, and how the kernel numbers features.

/// Parameters of the kernel's command line, and the /proc/cpuinfo flags that they take
/// (Documentation/admin-guide/kernel-parameters.txt).
const PARAMETERS: [(&str, &[&str]); 14] = [
    (
        "noxsave",
        &[
            "xsave", "xsaveopt", "xsavec", "xsaves", "avx", "avx2", "avx512f",
        ],
    ),
    ("noxsaveopt", &["xsaveopt"]),
    ("noxsaves", &["xsaves"]),
    ("nox2apic", &["x2apic"]),
    ("nosmap", &["smap"]),
    ("nosmep", &["smep"]),
    ("nofsgsbase", &["fsgsbase"]),
    ("nopku", &["pku", "ospke"]),
    ("nopcid", &["pcid"]),
    ("noinvpcid", &["invpcid"]),
    ("no5lvl", &["la57"]),
    ("nosgx", &["sgx"]),
    ("nousershstk", &["user_shstk"]),
    ("tsx=off", &["rtm", "hle"]),
];

/// The parameter of a kernel's command line that takes the flag of /proc/cpuinfo from the host. `number` is the kernel's for the same
/// feature: names are understood since Linux 5.17, numbers always.
pub fn clearing_parameter<'a>(
    command_line: &'a [String],
    flag: &str,
    number: Option<u32>,
) -> Option<&'a str> {
    let is_it = |name: &str| name == flag || (number.is_some() && name.parse().ok() == number);
    let takes = |parameter: &str| match parameter.strip_prefix("clearcpuid=") {
        Some(list) => list.split(',').any(is_it),
        None => PARAMETERS
            .iter()
            .any(|(known, flags)| *known == parameter && flags.contains(&flag)),
    };
    let mut parameters = command_line.iter().map(String::as_str);
    parameters.find(|parameter| takes(parameter))
}

/// The words of flags that the kernel copies from CPUID whole: index, leaf, subleaf, register 0 to 3 (enum cpuid_leafs in
/// arch/x86/include/asm/cpufeature.h; the same from Linux 5.10 to 7.3: measured).
pub const FEATURE_WORDS: [(u32, u32, u32, u8); 16] = [
    (0, 1, 0, 3),
    (1, 0x8000_0001, 0, 3),
    (2, 0x8086_0001, 0, 3),
    (4, 1, 0, 2),
    (5, 0xC000_0001, 0, 3),
    (6, 0x8000_0001, 0, 2),
    (9, 7, 0, 1),
    (10, 0xD, 1, 0),
    (12, 7, 1, 0),
    (13, 0x8000_0008, 0, 1),
    (14, 6, 0, 0),
    (15, 0x8000_000A, 0, 3),
    (16, 7, 0, 2),
    (17, 0x8000_0007, 0, 1),
    (18, 7, 0, 3),
    (19, 0x8000_001F, 0, 0),
];
