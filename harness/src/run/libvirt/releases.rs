//! What two libvirts answer differently about the same QEMU: `domcapabilities`, and the options of commands about CPUs.

use std::collections::BTreeSet;

use crate::case::Case;
use crate::check::libvirt_pair::{listed, signed};
use crate::evidence::libvirt::answers::Capabilities;
use crate::lanes::libvirt::guests::{read_capabilities, run};
use crate::run::Engine;
use crate::vmm::libvirt::domain::GuestCpu;

/// Commands of virsh about CPUs.
const COMMANDS: [&str; 7] = [
    "cpu-baseline",
    "cpu-compare",
    "cpu-models",
    "domcapabilities",
    "hypervisor-cpu-baseline",
    "hypervisor-cpu-compare",
    "hypervisor-cpu-models",
];

/// The commands about CPUs that the virsh of `engine` has, each also with each of its options: `hypervisor-cpu-baseline --ignore-host`.
///
/// # Errors
/// libvirt cannot be started.
pub fn options(engine: &Engine) -> Result<BTreeSet<String>, String> {
    run(&engine.bench, "uri")?;
    let mut found = BTreeSet::new();
    for command in COMMANDS {
        // A command that this virsh has not got is an error of its own.
        let Ok(help) = run(&engine.bench, &format!("help {command}")) else {
            continue;
        };
        found.insert(command.to_owned());
        found.extend(of_synopsis(&help).map(|option| format!("{command} {option}")));
    }
    Ok(found)
}

/// The options in a command's help, which names each in brackets: `[--virttype <string>] [--features]`.
fn of_synopsis(help: &str) -> impl Iterator<Item = &str> {
    let options = help
        .split('[')
        .skip(1)
        .filter(|text| text.starts_with("--"));
    options.filter_map(|text| text.split([' ', ']']).next())
}

/// What the two answer differently about the QEMU and the machine type of `case`.
///
/// # Errors
/// Whose answer cannot be had, and why: libvirt's own message where it drives no such QEMU.
pub fn changes(engines: [(&str, &Engine); 2], case: &Case) -> Result<Vec<String>, String> {
    let ask = |(name, engine): (&str, &Engine)| {
        let answer = read_capabilities(&engine.bench, case);
        answer.map_err(|reason| format!("libvirt {name}: {reason}"))
    };
    let [before, after] = engines;
    Ok(compare(&ask(before)?, &ask(after)?))
}

fn compare(before: &Capabilities, after: &Capabilities) -> Vec<String> {
    let host_model = [host_model(before), host_model(after)];
    let usable = [usable(before), usable(after)];
    let [before, after] =
        [&before.flags, &after.flags].map(|flags| flags.iter().cloned().collect());
    let mut lines = section("host-model", host_model);
    lines.extend(section("usable", usable));
    // Statements have spaces in them, so each has a line.
    let flags = both([before, after]);
    lines.extend(
        flags
            .iter()
            .flat_map(|flag| listed("says", std::slice::from_ref(flag))),
    );
    lines
}

fn section(heading: &str, sides: [Vec<String>; 2]) -> Vec<String> {
    listed(heading, &both(sides))
}

fn both([before, after]: [Vec<String>; 2]) -> Vec<String> {
    signed(
        before.iter().map(String::as_str),
        after.iter().map(String::as_str),
    )
}

/// The model and the features that `host-model` stands for: `EPYC`, `vaes`, `vme=disable`.
fn host_model(capabilities: &Capabilities) -> Vec<String> {
    let Some(cpu) = &capabilities.host_model else {
        return Vec::new();
    };
    let GuestCpu {
        model, features, ..
    } = cpu;
    let features = features.iter().map(|(name, policy)| match policy.name() {
        "require" => name.clone(),
        policy => format!("{name}={policy}"),
    });
    model.iter().cloned().chain(features).collect()
}

fn usable(capabilities: &Capabilities) -> Vec<String> {
    let usable = capabilities.models.iter();
    let usable = usable.filter(|(_, usable)| *usable == Some(true));
    usable.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_in_the_synopsis() {
        let help = "  SYNOPSIS\n    x <file> [--virttype <string>] [--features] [<more>]\n";
        let found: Vec<&str> = of_synopsis(help).collect();
        assert_eq!(found, ["--virttype", "--features"]);
    }

    #[test]
    fn answers_are_compared_statement_by_statement() {
        let answer = |features: &str, models: &str, flags: &str| {
            let text = format!(
                "<domainCapabilities><cpu><mode name='host-model' supported='yes'><model>EPYC</model>{features}</mode>\
                 <mode name='custom' supported='yes'>{models}</mode></cpu><features>{flags}</features></domainCapabilities>"
            );
            Capabilities::read(&text).expect("an answer")
        };
        let before = answer(
            "<feature policy='require' name='ss'/>",
            "<model usable='no'>A</model>",
            "<sgx supported='no'/>",
        );
        let after = answer(
            "<feature policy='disable' name='vme'/>",
            "<model usable='yes'>A</model>",
            "<tdx supported='no'/>",
        );
        assert_eq!(
            compare(&before, &after),
            [
                "host-model              -ss +vme=disable",
                "usable                  +A",
                "says                    -features/sgx supported=no",
                "says                    +features/tdx supported=no",
            ]
        );
        assert_eq!(compare(&after, &after), [""; 0]);
    }
}
