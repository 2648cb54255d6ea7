//! The flags of a `-cpu` argument.

/// A flag that turns a boolean property on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As it was given: `-avx2`, `avx2=off`.
    pub text: String,
    /// The property, in QEMU's spelling with hyphens.
    pub name: String,
    /// Whether it turns it on.
    pub on: bool,
}

/// The model of a `-cpu` argument.
pub fn model(cpu: &str) -> &str {
    cpu.split(',').next().unwrap_or(cpu)
}

/// The boolean flags of a `-cpu` argument, in the order in which QEMU applies them: `name=value` first, then `+name`, then
/// `-name` (`x86_cpu_parse_featurestr`, `x86_cpu_expand_features` in target/i386/cpu.c).
pub fn flags(cpu: &str) -> Vec<Flag> {
    let mut flags: Vec<Flag> = cpu.split(',').skip(1).filter_map(read).collect();
    flags.sort_by_key(|flag| match flag.text.as_bytes()[0] {
        b'+' => 1,
        b'-' => 2,
        _ => 0,
    });
    flags
}

/// The `-cpu` argument without one flag.
pub fn without(cpu: &str, flag: &Flag) -> String {
    let kept = cpu
        .split(',')
        .enumerate()
        .filter(|(index, part)| *index == 0 || *part != flag.text);
    kept.map(|(_, part)| part).collect::<Vec<_>>().join(",")
}

fn read(argument: &str) -> Option<Flag> {
    let flag = |name: &str, on| {
        let name = name.replace('_', "-");
        let text = argument.to_owned();
        (!name.is_empty()).then_some(Flag { text, name, on })
    };
    if let Some(name) = argument.strip_prefix('+') {
        return flag(name, true);
    }
    if let Some(name) = argument.strip_prefix('-') {
        return flag(name, false);
    }
    match argument.split_once('=') {
        Some((name, "on" | "yes" | "true" | "y")) => flag(name, true),
        Some((name, "off" | "no" | "false" | "n")) => flag(name, false),
        Some(_) => None,
        None => flag(argument, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_is_applied_last() {
        let flags = flags("EPYC,-avx2,+avx2,arch_capabilities=off,vendor=AuthenticAMD");
        let read: Vec<_> = flags
            .iter()
            .map(|flag| (flag.name.as_str(), flag.on))
            .collect();
        assert_eq!(
            read,
            [
                ("arch-capabilities", false),
                ("avx2", true),
                ("avx2", false)
            ]
        );
    }

    #[test]
    fn one_flag_can_be_left_out() {
        let cpu = "EPYC,-svm,+npt";
        assert_eq!(without(cpu, &flags(cpu)[1]), "EPYC,+npt");
        assert_eq!(model(cpu), "EPYC");
    }
}
