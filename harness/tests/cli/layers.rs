//! Layers on the command line: explain, record, QEMU's view, a host's baseline, and monitors that lie, refuse, chatter or go away.

use serde_json::Value;

use super::require::{Capability, require};
use super::world::World;

/// Puts a filter between harness and monitor: `$1` is a sed script over QEMU's lines. bash, because dash knows no descriptor above 9.
fn filter_monitor(world: &mut World, script: &str) {
    let filter = r#"
arguments=() fd= dir=$(mktemp -d "$PWD/monitor.XXXXXX")
for word; do
    case $word in socket,id=qmp,fd=*) fd=${word##*=} word=pipe,id=qmp,path=$dir/qmp ;; esac
    arguments+=("$word")
done
[ "$fd" ] || { rmdir "$dir"; exec "$q" "$@"; }
mkfifo "$dir/qmp.in" "$dir/qmp.out"
cat <&"$fd" >"$dir/qmp.in" &
sed -u "$script" <"$dir/qmp.out" >&"$fd" &
exec {fd}>&-
"$q" "${arguments[@]}"
status=$?
rm -r "$dir"
exit $status
"#;
    world.write("filter.bash", filter);
    world.write("script.sed", script);
    world.replace_qemu("export q script=\"$(cat \"${0%/*}/script.sed\")\"\nexec bash \"${0%/*}/filter.bash\" \"$@\"");
}

/// A world whose lane `tcg` has one model.
fn world(model: &str) -> Option<World> {
    let world = World::new(&[], &[])?;
    world.write("expectations/waivers.toml", "");
    world.select(&[], &[], &[model]);
    world.record_expectations();
    Some(world)
}

fn checks(world: &World) -> Vec<String> {
    let cases = world.cases("run.json");
    let changes = cases[0]["changes"].as_array().expect("changes");
    let mut checks: Vec<String> = changes
        .iter()
        .map(|change| change["check"].as_str().expect("a check").to_owned())
        .collect();
    checks.sort();
    checks.dedup();
    checks
}

const RUN: [&str; 3] = ["run", "--json", "run.json"];

#[test]
fn a_monitor_that_tells_the_truth_is_believed() {
    let mut world = or_skip!(world("486-v1"));
    filter_monitor(&mut world, "");
    world.run(&RUN).expect(0);
    world.assert_clean();
}

#[test]
fn a_monitor_that_lies_about_feature_words_is_found_out() {
    let mut world = or_skip!(world("486-v1"));
    // The first word of every list loses its features, on the monitor only.
    filter_monitor(&mut world, r#"s/"features": [1-9][0-9]*/"features": 0/"#);
    world
        .run(&RUN)
        .expect(1)
        .prints("clear in QMP's feature-words → set in the guest");
    assert!(
        checks(&world).contains(&"feature-words".to_owned()),
        "{:?}",
        checks(&world)
    );
}

#[test]
fn a_monitor_that_says_it_filtered_what_the_guest_has_is_found_out() {
    let mut world = or_skip!(world("486-v1"));
    // The 486 filters nothing: every word of `filtered-features` is 0, and one of them becomes CPUID.01H:EDX[0], the FPU.
    let lie = [
        r#"s/\("cpuid-register": "EDX", "cpuid-input-eax": 1, "features": \)0\b/\11/"#,
        r#"s/\("features": \)0\(, "cpuid-input-eax": 1, "cpuid-register": "EDX"\)/\11\2/"#,
        r#"s/\("cpuid-register": "EDX", "features": \)0\(, "cpuid-input-eax": 1}\)/\11\2/"#,
        r#"s/\("cpuid-input-eax": 1, "features": \)0\(, "cpuid-register": "EDX"}\)/\11\2/"#,
        r#"s/\("cpuid-input-eax": 1, "cpuid-register": "EDX", "features": \)0\b/\11/"#,
        r#"s/\("features": \)0\(, "cpuid-register": "EDX", "cpuid-input-eax": 1\b\)/\11\2/"#,
    ]
    .join(";");
    filter_monitor(&mut world, &lie);
    world.run(&RUN).expect(1);
    assert!(
        checks(&world).contains(&"filtered-features".to_owned()),
        "{:?}",
        checks(&world)
    );
}

#[test]
fn events_and_late_answers_in_between_do_no_harm() {
    let mut world = or_skip!(world("486-v1"));
    let event = r#"{"event": "NIC_RX_FILTER_CHANGED", "data": {}, "timestamp": {"seconds": 1, "microseconds": 2}}"#;
    filter_monitor(&mut world, &format!("/\"QMP\"/!{{\ni{event}\na{event}\n}}"));
    world.run(&RUN).expect(0);
}

#[test]
fn a_qemu_without_the_property_is_a_finding_and_no_crash() {
    let mut world = or_skip!(world("486-v1"));
    let refusal = r#"{"error": {"class": "GenericError", "desc": "Property '486-v1-x86_64-cpu.filtered-features' not found"}}"#;
    // The second list of words is `filtered-features`; the first has feature words that are set.
    filter_monitor(
        &mut world,
        &format!(
            r#"/"cpuid-input-eax"/{{/"features": [1-9]/!c{refusal}
}}"#
        ),
    );
    let ended = world.run(&RUN);
    ended.prints("Property '486-v1-x86_64-cpu.filtered-features' not found");
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
}

#[test]
fn a_monitor_that_goes_away_is_an_error_with_a_reason() {
    let mut world = or_skip!(world("486-v1"));
    filter_monitor(&mut world, "/cpuid-input-eax/Q");
    world
        .run(&[&RUN[..], &["--timeout", "5"]].concat())
        .expect(3);
    let case = &world.cases("run.json")[0];
    assert_eq!(case["status"], "ERROR");
    assert!(!case["reason"].as_str().expect("a reason").is_empty());
    world.assert_clean();
}

/// The last line of `explain`, which `--json` must agree with.
fn verdict(world: &World, arguments: &[&str]) -> String {
    let arguments = [&["explain", "--lane", "tcg", "--no-proof"], arguments].concat();
    let ended = world.run(&arguments).expect(0);
    let verdict = ended.stdout.trim_end().lines().last().unwrap_or_default();
    let json = world.run(&[&arguments[..], &["--json"]].concat()).expect(0);
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(value["verdict"], verdict, "{}", json.stdout);
    assert!(
        value["rungs"]
            .as_array()
            .is_some_and(|layers| layers.len() > 3)
    );
    verdict.to_owned()
}

#[test]
fn explain_ends_at_the_machine_type() {
    let world = or_skip!(World::new(&[], &[]));
    // The last that takes npt away with a machine type.
    let old = or_skip!(require(Capability::QemuRelease("7.2")));
    let old = old.display().to_string();
    let verdict = verdict(
        &world,
        &[
            "--qemu",
            &old,
            "--cpu",
            "EPYC",
            "--feature",
            "npt",
            "--machine",
            "pc-q35-3.1",
        ],
    );
    assert_eq!(verdict, "removed by the machine type pc-q35-3.1");
}

#[test]
fn explain_knows_near_names() {
    let world = or_skip!(World::new(&[], &[]));
    let explain = |feature: &str, cpu: &str| {
        world
            .run(&["explain", "--cpu", cpu, "--feature", feature])
            .expect(2)
    };
    explain("avx512", "EPYC").prints("near to it: avx512f");
    explain("avx2", "EPYK").prints("near to it: EPYC");
}

#[test]
fn a_record_says_what_the_run_said() {
    let world = or_skip!(world("Skylake-Server-v4"));
    world
        .run(&[
            "record",
            "--cpu",
            "Skylake-Server-v4",
            "--out",
            "record.json",
            "--no-host",
        ])
        .expect(0);
    let text = std::fs::read_to_string(world.path("record.json")).expect("a record");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&record["record"], &record["case"]["lane"]),
        (&1.into(), &"tcg".into())
    );
    assert!(record["host"].is_null() && record["qemu"]["filtered"].is_array());
    world.run(&["diff", "record.json", "record.json"]).expect(0);
    world.write(
        "record.json",
        &text.replacen("\"record\":1", "\"record\":9", 1),
    );
    world
        .run(&["diff", "record.json", "record.json"])
        .expect(2)
        .prints("format 9, expected 1");
}

#[test]
fn qemus_view_of_a_model_is_one_command() {
    let world = or_skip!(World::new(&[], &[]));
    let ended = world
        .run(&[
            "dump",
            "--cpu",
            "Skylake-Server-v4",
            "--lane",
            "tcg",
            "--view",
            "qemu",
        ])
        .expect(0);
    for wanted in ["avx512f", "Skylake-Server-v4-x86_64-cpu"] {
        ended.prints(wanted);
    }
}

/// A record of a guest, below the folder of a baseline.
fn one_record(folder: &std::path::Path) -> std::path::PathBuf {
    let mut open: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .expect("a folder")
                    .flatten()
                    .map(|entry| entry.path()),
            );
        } else if !path.ends_with("host.json") {
            return path;
        }
    }
    panic!("no guest was recorded in {}", folder.display())
}

#[test]
fn a_host_is_held_against_its_baseline() {
    let world = or_skip!(World::new(&[], &[]));
    let models = "kvm.models = [\"486-v1\"]\nkvm-direct.models = [\"supported\", \"host\"]\nlibvirt.models = []\n";
    world.configure(&format!(
        "qemu = []\n[default]\ndefinition.models = []\ndefinition.machines = []\ntcg.models = []\n{models}"
    ));
    let recorded = world.run(&["record", "--host-baseline", "baseline"]);
    if require(Capability::Kvm).is_none() {
        recorded
            .expect(3)
            .prints("the KVM lanes cannot be recorded");
        assert!(!world.path("baseline").exists());
        return;
    }
    let recorded = recorded.expect(0);
    recorded.prints("this host and 2 cases are in baseline");
    world
        .run(&["record", "--host-baseline", "baseline"])
        .expect(2)
        .prints("is there already");
    let run = ["run", "--host-baseline", "baseline", "--json", "run.json"];
    world.run(&run);
    let found = |world: &World| -> Vec<Value> {
        let cases = world.cases("run.json");
        let changes = cases
            .iter()
            .flat_map(|case| case["changes"].as_array().expect("changes"));
        changes
            .filter(|change| change["check"] == "host-baseline")
            .cloned()
            .collect()
    };
    assert_eq!(found(&world), Vec::<Value>::new());
    // A guest that was not recorded is no guest that is as it was.
    let gone = one_record(&world.path("baseline"));
    let kept = std::fs::read(&gone).expect("the record");
    std::fs::remove_file(&gone).expect("a file");
    world.run(&run).expect(1);
    let changes = found(&world);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0]["name"], "record");
    std::fs::write(&gone, kept).expect("a file");
    // What this host was is edited: another kernel, and a flag that it had.
    let path = world.path("baseline/host.json");
    let text = std::fs::read_to_string(&path).expect("the host");
    let mut host: Value = serde_json::from_str(&text).expect("JSON");
    host["host"]["kernel"]["release"]["value"] = "1.2.3".into();
    host["host"]["cpuinfo"]["value"]["flags"]
        .as_array_mut()
        .expect("flags")
        .push("once".into());
    std::fs::write(&path, host.to_string()).expect("a file");
    world
        .run(&run)
        .expect(1)
        .prints("the kernel was 1.2.3, is ");
    let changes = found(&world);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["name"], &changes[0]["kind"]),
        (&"flags once".into(), &"lost".into())
    );
    std::fs::write(&path, "{").expect("a file");
    world
        .run(&run)
        .expect(2)
        .prints("failed to read the record in baseline/host.json");
    std::fs::remove_file(&path).expect("a file");
    world
        .run(&run)
        .expect(2)
        .prints("failed to read baseline/host.json");
}

/// Four letters as CPUID returns them.
fn letters(text: &str) -> Value {
    u32::from_le_bytes(text.as_bytes().try_into().expect("four letters")).into()
}

#[test]
fn hyper_v_leaves_have_hyper_vs_names() {
    let world = or_skip!(World::new(&[], &[]));
    let dump = world
        .run(&["dump", "--cpu", "qemu64-v1", "--format", "json"])
        .expect(0);
    let mut table: Value = serde_json::from_str(&dump.stdout).expect("JSON");
    let cpuid = table["vcpus"][0]["phases"]["reset"]["cpuid"]
        .as_array_mut()
        .expect("rows");
    cpuid.retain(|row| row[0].as_u64().is_none_or(|leaf| leaf >> 16 != 0x4000));
    let row = |leaf: u32, regs: [Value; 4]| -> Value {
        [vec![leaf.into(), 0.into()], regs.to_vec()].concat().into()
    };
    cpuid.push(row(
        0x4000_0000,
        [
            0x4000_0001_u32.into(),
            letters("Micr"),
            letters("osof"),
            letters("t Hv"),
        ],
    ));
    cpuid.push(row(
        0x4000_0001,
        [letters("Hv#1"), 0.into(), 0.into(), 0.into()],
    ));
    world.write("table.json", &table.to_string());
    let ended = world.run(&["dump", "--lane", "kvm-direct", "--table", "table.json"]);
    if require(Capability::Kvm).is_none() {
        return ended.expect(3).prints("/dev/kvm");
    }
    let ended = ended.expect(0);
    ended.prints("cpuid 0x40000001.00 eax[31: 0]  hv-interface = \"Hv#1\"");
    assert!(!ended.stdout.contains("kvmclock"), "{}", ended.stdout);
}

#[test]
fn kvm_can_be_hidden_and_hyper_v_shown() {
    let world = or_skip!(World::new(&[], &[]));
    let dump = |cpu: &str| world.run(&["dump", "--lane", "kvm", "--cpu", cpu]);
    let hidden = dump("qemu64,kvm=off");
    if require(Capability::Kvm).is_none() {
        return hidden.expect(3).prints("/dev/kvm");
    }
    assert!(!hidden.expect(0).stdout.contains("cpuid 0x40000000"));
    dump("qemu64")
        .expect(0)
        .prints("hypervisor-vendor-0 = \"KVMK\"");
    // A KVM without Hyper-V's MSRs refuses, with QEMU's message; any other shows the leaves.
    let shown = dump("qemu64,hv-vpindex");
    match shown.status {
        Some(0) => shown.prints("hv-interface = \"Hv#1\""),
        _ => shown.expect(3).prints("HyperV VP_INDEX"),
    }
}

#[test]
fn explain_tells_what_cannot_be_migrated() {
    or_skip!(require(Capability::Kvm));
    // On a processor without the feature there is nothing to leave out.
    or_skip!(require(Capability::InvariantTsc));
    let world = or_skip!(World::new(&[], &[]));
    let explain = ["explain", "--lane", "kvm", "--feature", "invtsc", "--cpu"];
    let ended = world.run(&[&explain[..], &["max"]].concat());
    ended
        .expect(0)
        .prints("\nnot migratable: migratable=off would give it\n");
    let given = world
        .run(&[&explain[..], &["max,migratable=off"]].concat())
        .expect(0);
    given.prints("\nthe guest has it\n");
}
