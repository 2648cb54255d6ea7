//! What of a domain's XML reaches QEMU when a guest of it is tried: arguments that are about the CPU, and nothing else unless it is trusted.

/// Longest name of a driver or property in `-global DRIVER.PROPERTY=VALUE`; with a longer one QEMU reads the argument in another way
/// (softmmu/vl.c, qemu_global_option).
const LONGEST: usize = 63;

/// The arguments of `<qemu:commandline>` that are not about the CPU, each with its value: they can name files and programs of this machine.
pub fn not_about_cpu(arguments: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some((option, behind)) = rest.split_first() {
        let value = behind.first().map(String::as_str);
        if value.is_some_and(|value| is_about_cpu(option, value)) {
            rest = &behind[1..];
            continue;
        }
        let values = behind.iter().take_while(|value| !value.starts_with('-'));
        let (before, after) = behind.split_at(values.count());
        found.push([std::slice::from_ref(option), before].concat().join(" "));
        rest = after;
    }
    found
}

fn is_about_cpu(option: &str, value: &str) -> bool {
    // QEMU takes what has no dash as a disk.
    let name = option.strip_prefix("--").or(option.strip_prefix('-'));
    match name {
        Some("cpu" | "smp") => true,
        Some("global") => is_property_of_cpu(value),
        _ => false,
    }
}

/// `Haswell-x86_64-cpu.level=4`.
fn is_property_of_cpu(value: &str) -> bool {
    let parts = value
        .split_once('=')
        .and_then(|(place, _)| place.split_once('.'));
    parts.is_some_and(|(driver, property)| {
        let whole = [driver, property].map(|name| (1..=LONGEST).contains(&name.len()));
        whole == [true, true] && (driver.ends_with("x86_64-cpu") || driver == "cpu")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arguments: &[&str]) -> Vec<String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        not_about_cpu(&arguments)
    }

    #[test]
    fn arguments_about_the_cpu_need_no_trust() {
        let about = [
            "-cpu",
            "max,-avx",
            "-global",
            "Haswell-x86_64-cpu.level=4",
            "--smp",
            "2",
        ];
        assert!(found(&about).is_empty());
    }

    #[test]
    fn an_argument_without_a_dash_is_a_disk() {
        assert_eq!(found(&["smp", "2"]), ["smp 2"]);
        assert_eq!(found(&["cpu"]), ["cpu"]);
        assert_eq!(
            found(&["-cpu", "max", "global", "cpu.x=1"]),
            ["global cpu.x=1"]
        );
    }

    #[test]
    fn every_other_argument_is_named_with_its_value() {
        let hostile = [
            "-chardev",
            "file,id=a,path=X",
            "-cpu",
            "max",
            "-S",
            "-readconfig",
            "f",
        ];
        let wanted = ["-chardev file,id=a,path=X", "-S", "-readconfig f"];
        assert_eq!(found(&hostile), wanted);
        for one in [
            "isa-serial.chardev=a",
            "driver=x-x86_64-cpu,driver=isa-serial,property=chardev,value=a",
            &format!("max-x86_64-cpu.{}=1,driver=isa-serial", "a".repeat(64)),
            "x86_64-cpu",
        ] {
            assert_eq!(found(&["-global", one]), [format!("-global {one}")]);
        }
        assert_eq!(found(&["-cpu"]), ["-cpu"]);
    }
}
