//! What a program that ended has left: processes and files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use super::verbs::Verb;
use super::world::World;

/// The command lines of processes that do not end in this time: all that was started here has the world's folder in its environment.
pub fn processes(world: &World, grace: Duration) -> Vec<String> {
    let folder = world.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    all.filter_map(|process| stays(&process.path(), folder, grace))
        .collect()
}

fn stays(process: &Path, folder: &str, grace: Duration) -> Option<String> {
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    let read = |name: &str| {
        String::from_utf8_lossy(&std::fs::read(process.join(name)).unwrap_or_default()).into_owned()
    };
    if pid == std::process::id().cast_signed()
        || !(read("environ") + &read("cmdline")).contains(folder)
    {
        return None;
    }
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let grace = Timespec::try_from(grace).ok()?;
    let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&grace));
    (ended != Ok(1)).then(|| format!("{pid} {}", read("cmdline").replace('\0', " ")))
}

/// Every file and folder of the world, but for those that have their own rules.
pub fn files(world: &World) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(world.path("").join(&folder));
        for entry in entries.into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !path.ends_with(".git") {
                open.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// Files that nobody named, after a program that was `killed` outright or might tidy up.
pub fn unnamed(
    world: &World,
    verb: &Verb,
    before: &BTreeSet<PathBuf>,
    killed: bool,
) -> Vec<String> {
    let new = files(world);
    let new = new.difference(before).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ours = name.starts_with(".cpuid-fidelity-") || name.starts_with("cpuid-fidelity-");
        let within = |folder: &str| path.starts_with(folder);
        let temporary = ours && name.starts_with('.') || within("tmp") || name.starts_with(".tmp");
        let kept = within(".cache") || verb.named.iter().any(|name| within(name));
        // Below a folder of ours in the temporary folder anything may be.
        let below_ours = killed
            && path.components().any(|part| {
                part.as_os_str()
                    .to_string_lossy()
                    .starts_with("cpuid-fidelity-")
            });
        !(kept && !temporary || killed && ours || below_ours)
    });
    new.map(|path| path.display().to_string()).collect()
}

/// Result files that are not whole.
pub fn cut(world: &World) -> Vec<String> {
    let results = files(world);
    let results = results
        .iter()
        .filter(|path| path.starts_with("out") || path.starts_with("nights"));
    let broken = results.filter(|path| !is_whole(world, path));
    broken.map(|path| path.display().to_string()).collect()
}

fn is_whole(world: &World, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = world.path("").join(path);
    // A saved guest is QEMU's; a part is what an interrupted run goes on from.
    if file.is_dir()
        || name.contains("cpuid-fidelity-")
        || name == "saved"
        || name.ends_with(".part")
    {
        return true;
    }
    let text = std::fs::read_to_string(file).unwrap_or_default();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl" | "json") => is_json(&text),
        Some("kcidb") => serde_json::from_str::<Value>(&text).is_ok(),
        Some("html") => text.trim_end().ends_with("</html>"),
        Some("xml") => text.trim_end().ends_with("</testsuites>"),
        _ => text.ends_with('\n'),
    }
}

/// A line a value; the first one of a run has the number of the others.
fn is_json(text: &str) -> bool {
    let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let Ok(values) = values else { return false };
    let planned = values.first().and_then(|head| head["planned"].as_u64());
    text.ends_with('\n') && planned.is_none_or(|planned| planned == values.len() as u64 - 1)
}

#[test]
fn what_is_left_is_seen() {
    let world = or_skip!(World::new(&[], &[]));
    let (before, nothing) = (files(&world), Duration::ZERO);
    assert!(processes(&world, nothing).is_empty());
    let mut command = std::process::Command::new("cat");
    command.arg(world.path(super::events::NEVER));
    let mut child = command.spawn().expect("a process");
    assert_eq!(processes(&world, nothing).len(), 1);
    child.kill().expect("a process");
    child.wait().expect("an end");
    std::fs::create_dir(world.path("out")).expect("a folder");
    world.write("out/run.html", "<html>");
    world.write("out/.cpuid-fidelity-x", "");
    assert_eq!(cut(&world), ["out/run.html"]);
    let verb = super::verbs::verb("run", "run", &["out"], "");
    assert_eq!(
        unnamed(&world, &verb, &before, false),
        ["out/.cpuid-fidelity-x"]
    );
    assert!(unnamed(&world, &verb, &before, true).is_empty());
}
