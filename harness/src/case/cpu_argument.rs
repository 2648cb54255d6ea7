//! The properties of a `-cpu` argument.
//!
//! QEMU reads `name=value` and plain names first, then `+name`, then `-name`; a later one counts, and an underscore is a hyphen
//! (x86_cpu_parse_featurestr and feat2prop in target/i386/cpu.c).

/// What a `-cpu` argument sets beside its model: names with hyphens, and their values as text, `on` and `off` of flags; in the order in
/// which QEMU sets them.
pub fn properties(cpu: &str) -> Vec<(String, String)> {
    let mut read: Vec<(u8, String, String)> = cpu.split(',').skip(1).map(property).collect();
    read.sort_by_key(|(turn, ..)| *turn);
    let named = read.into_iter().filter(|(_, name, _)| !name.is_empty());
    named.map(|(_, name, value)| (name, value)).collect()
}

/// The same with what QEMU turns off by default under KVM in front (`kvm_default_props` in target/i386/kvm/kvm-cpu.c).
pub fn properties_under_kvm(cpu: &str) -> Vec<(String, String)> {
    let defaults = ["acpi", "monitor", "svm"].map(|name| (name.to_owned(), "off".to_owned()));
    defaults.into_iter().chain(properties(cpu)).collect()
}

/// Turn, name and value of one.
fn property(text: &str) -> (u8, String, String) {
    let of = |turn, name: &str, value: &str| (turn, name.replace('_', "-"), value.to_owned());
    if let Some(name) = text.strip_prefix('+') {
        return of(1, name, "on");
    }
    if let Some(name) = text.strip_prefix('-') {
        return of(2, name, "off");
    }
    let (name, value) = text.split_once('=').unwrap_or((text, "on"));
    of(0, name, value)
}

/// Whether a value turns a flag on or off; `None` where it is neither (`qapi_bool_parse` in qapi/qapi-util.c).
pub fn flag(value: &str) -> Option<bool> {
    match value {
        "on" | "yes" | "true" | "y" => Some(true),
        "off" | "no" | "false" | "n" => Some(false),
        _ => None,
    }
}

/// A number as QEMU takes it, decimal or with `0x`.
pub fn number(value: &str) -> Option<u32> {
    match value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"))
    {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_stand_in_qemus_order() {
        let found = properties("EPYC,-avx2,+svm,x_y=1,enforce,model-id=A b");
        let found: Vec<String> = found
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            found,
            ["x-y=1", "enforce=on", "model-id=A b", "svm=on", "avx2=off"]
        );
        assert_eq!(properties("EPYC"), []);
    }

    #[test]
    fn a_flag_counts_more_than_kvms_defaults() {
        let found = properties_under_kvm("EPYC,svm=on");
        let svm = found.iter().rfind(|(name, _)| name == "svm");
        assert_eq!(svm.map(|(_, value)| value.as_str()), Some("on"));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn values_are_flags_or_numbers() {
        assert_eq!(
            [flag("yes"), flag("off"), flag("7")],
            [Some(true), Some(false), None]
        );
        assert_eq!(
            [number("13"), number("0x80000004"), number("x")],
            [Some(13), Some(0x8000_0004), None]
        );
    }
}
