//! The processors of Bochs that a lab can have.

/// A model of Bochs with VMX and EPT (`bochs --help cpu`).
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What users may call it beside Bochs' own name.
    pub short: &'static str,
    /// Bochs' name.
    pub name: &'static str,
    /// What is left out of it, for Linux does not start with it: each group with all that depends on it.
    pub without: &'static [&'static str],
    /// The newest Linux that is known to stop at its start on it, if there is one.
    pub stops: Option<(u32, u32)>,
    /// Whether CPUID.15H says how fast the TSC is, so that Linux does not measure it (`native_calibrate_tsc` in arch/x86/kernel/tsc.c).
    pub tells_frequency: bool,
}

/// Oldest first. `sapphire_rapids` shows AMX without XFD, which Linux takes for a broken processor and Bochs for a panic of its own
/// (#GP at XSETBV); Linux 6.12, measured. From Ice Lake on Linux 5.10 and 6.1 stop before their first line or with a fault of the kernel itself
/// (#UD at a PAUSE in `ktime_get`, #PF while text is patched), and 6.12 and 7.3 do not; the cause in Bochs was not found.
pub const MODELS: &[Model] = &[
    measured("westmere", "corei5_arrandale_m520"),
    measured("sandybridge", "corei7_sandy_bridge_2600k"),
    measured("ivybridge", "corei7_ivy_bridge_3770k"),
    measured("haswell", "corei7_haswell_4770"),
    measured("broadwell", "broadwell_ult"),
    model("skylake", "corei7_skylake_x"),
    model("cannonlake", "corei3_cnl"),
    recent("icelake", "corei7_icelake_u"),
    recent("tigerlake", "tigerlake"),
    Model {
        without: &["amx", "amx_int8", "amx_bf16"],
        ..recent("sapphirerapids", "sapphire_rapids")
    },
    recent("arrowlake", "arrow_lake"),
];

/// The model of hosts that name none.
pub const DEFAULT_MODEL: &str = "corei7_skylake_x";

const fn model(short: &'static str, name: &'static str) -> Model {
    Model {
        short,
        name,
        without: &[],
        stops: None,
        tells_frequency: true,
    }
}

/// One on which old kernels stop.
const fn recent(short: &'static str, name: &'static str) -> Model {
    Model {
        stops: Some((6, 1)),
        ..model(short, name)
    }
}

/// One whose TSC Linux measures.
const fn measured(short: &'static str, name: &'static str) -> Model {
    Model {
        tells_frequency: false,
        ..model(short, name)
    }
}

/// Processors of AMD that QEMU's TCG can be, beside all that it emulates: what users may call each, and QEMU's model. Each is without what
/// TCG has not.
pub const AMD_MODELS: &[(&str, &str)] = &[
    ("barcelona", "Opteron_G3-v1"),
    ("piledriver", "Opteron_G5-v1"),
    ("naples", "EPYC-v1"),
    ("rome", "EPYC-Rome-v1"),
    ("milan", "EPYC-Milan-v1"),
];

/// The model of AMD's of this name, QEMU's or the short one.
pub fn find_amd(name: &str) -> Option<&'static str> {
    let mut models = AMD_MODELS.iter();
    models
        .find(|(short, model)| *short == name || *model == name)
        .map(|(_, model)| *model)
}

/// What users may call this model of AMD's.
pub fn short_amd(name: &str) -> Option<&'static str> {
    let mut models = AMD_MODELS.iter();
    models
        .find(|(_, model)| *model == name)
        .map(|(short, _)| *short)
}

/// The AMD host's processor where none is named: QEMU's `max`.
pub const WHOLE_AMD: &str = "max";

/// The processor of a host by what the command line calls the host: `skylake` of `intel`, `rome,-avx2` of `amd:rome,-avx2`.
pub fn processor(label: &str) -> String {
    let end = label.find([':', ',']).unwrap_or(label.len());
    let (vendor, rest) = label.split_at(end);
    if let Some(named) = rest.strip_prefix(':') {
        return named.to_owned();
    }
    let own = match vendor {
        "intel" => find(DEFAULT_MODEL).map_or(DEFAULT_MODEL, |model| model.short),
        _ => WHOLE_AMD,
    };
    format!("{own}{rest}")
}

/// Why a kernel of this release does not start on a model; `None` where it may.
pub fn stops(model: &str, release: &str) -> Option<String> {
    let (major, minor) = find(model)?.stops?;
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(own)), Some(Ok(its))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    ((own, its) <= (major, minor)).then(|| {
        format!("Linux to {major}.{minor} stops at its start on Bochs' {model} (measured); 6.12 and 7.3 do not")
    })
}

/// The model of this name, its own or the short one.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS
        .iter()
        .find(|model| model.name == name || model.short == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_processor_that_it_names_or_its_vendors_own() {
        for (label, name) in [
            ("amd", "max"),
            ("amd:rome,-avx2", "rome,-avx2"),
            ("intel", "skylake"),
            ("intel,-avx2", "skylake,-avx2"),
            ("intel:arrowlake", "arrowlake"),
        ] {
            assert_eq!(processor(label), name);
        }
    }

    #[test]
    fn an_old_kernel_is_known_to_stop_on_recent_models() {
        let stops = |model, release| stops(model, release).is_some();
        assert!(stops("corei7_icelake_u", "5.10.0-32-cloud-amd64"));
        assert!(stops("tigerlake", "6.1.0-51-amd64"));
        assert!(!stops("tigerlake", "6.12.117+deb13-cloud-amd64"));
        assert!(!stops("corei7_skylake_x", "5.10.0-32-amd64"));
        assert!(!stops("tigerlake", "next"));
    }

    #[test]
    fn a_model_is_found_by_either_name_and_the_default_is_one() {
        assert_eq!(
            find("haswell").expect("a model").name,
            "corei7_haswell_4770"
        );
        assert_eq!(find("tigerlake").expect("a model").short, "tigerlake");
        assert!(find(DEFAULT_MODEL).is_some());
        assert!(find("pentium").is_none());
    }
}
