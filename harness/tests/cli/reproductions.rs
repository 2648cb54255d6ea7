//! The pages of `docs/findings/` stay true: each block of a page that begins with `sh reproduce RELEASES` is run with the QEMU of
//! each of these releases as `qemu-system-x86_64`, and must print what the page shows after it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::require::{Capability, require, root};

/// The releases of QEMU that a page can name: those that `scripts/setup` fetches.
const RELEASES: [&str; 3] = ["7.2", "10.0", "11.1"];

/// What a line needs beside QEMU, by a part of it.
const NEEDS: [(&str, Capability); 3] = [
    ("-accel kvm", Capability::Kvm),
    (".cache/kernels/6.1 ", Capability::Kernel("6.1")),
    (".cache/kernels/6.12 ", Capability::Kernel("6.12")),
];

/// The parts of a draft of a report to those who can mend it, each with text.
const REPORT: [&str; 5] = [
    "**Subject:** ",
    "**Expected:** ",
    "**Happens:** ",
    "**Versions:** ",
    "**Suggested fix:** ",
];

/// A block of a page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reproduction {
    releases: Vec<String>,
    line: String,
    output: Vec<String>,
}

/// The reproductions of a page; what is malformed.
fn reproductions(page: &str) -> Result<Vec<Reproduction>, String> {
    let mut found: Vec<Reproduction> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => fence = None,
            (Some(language), None) => {
                fence = Some(language);
                if let Some(releases) = language.strip_prefix("sh reproduce ") {
                    let releases = releases.split(' ').map(str::to_owned).collect();
                    found.push(Reproduction {
                        releases,
                        ..Reproduction::default()
                    });
                }
            }
            (None, Some("text")) => {
                let last = found.last_mut().into_iter();
                last.for_each(|block| block.output.push(line.to_owned()));
            }
            (None, Some(language)) if language.starts_with("sh reproduce ") => {
                let last = found.last_mut().ok_or("a line of no block")?;
                if !last.line.is_empty() && !last.line.ends_with('\\') {
                    return Err(format!("more than one line: {line}"));
                }
                // A line that is too long for a page goes on behind a backslash, as in a shell.
                let next = if last.line.is_empty() { "" } else { "\n" };
                last.line.extend([next, line]);
            }
            _ => {}
        }
    }
    match found.iter().find(|block| block.is_malformed()) {
        Some(block) => Err(format!("no line, no output or no such release: {block:?}")),
        None => Ok(found),
    }
}

impl Reproduction {
    fn is_malformed(&self) -> bool {
        let known = |release: &String| RELEASES.contains(&release.as_str());
        self.line.is_empty() || self.output.is_empty() || !self.releases.iter().all(known)
    }

    /// Lines of the page that are not printed with this release.
    fn missing(&self, release: &'static str) -> Vec<String> {
        let Some(folder) = folder_with(release) else {
            return Vec::new();
        };
        let printed = print(&self.line, &folder);
        let missing = self.output.iter().filter(|line| !shows(&printed, line));
        missing
            .map(|line| {
                format!(
                    "QEMU {release}: {}\nnot printed: {line}\n{printed}",
                    self.line
                )
            })
            .collect()
    }

    /// The same, with all releases of the block at once.
    fn missing_in_any(&self) -> Vec<String> {
        for (_, need) in NEEDS.iter().filter(|(part, _)| self.line.contains(part)) {
            if require(*need).is_none() {
                return Vec::new();
            }
        }
        let named = |release: &&&'static str| self.releases.iter().any(|name| name == **release);
        std::thread::scope(|scope| {
            let started: Vec<_> = RELEASES
                .iter()
                .filter(named)
                .map(|release| scope.spawn(|| self.missing(release)))
                .collect();
            let ended = started.into_iter().map(|thread| thread.join());
            ended.flat_map(|lines| lines.expect("a thread")).collect()
        })
    }
}

/// Whether `shown` is a whole line of `text`; `…` stands for anything, and white space for white space.
fn shows(text: &str, shown: &str) -> bool {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = squeeze(shown);
    let (first, rest) = shown.split_once('…').unwrap_or((&shown, ""));
    text.lines().map(squeeze).any(|line| {
        if !shown.contains('…') {
            return line == shown;
        }
        let Some(mut left) = line.strip_prefix(first) else {
            return false;
        };
        let parts: Vec<&str> = rest.split('…').collect();
        let (last, middle) = parts.split_last().unwrap_or((&"", &[]));
        for part in middle {
            let Some(at) = left.find(part) else {
                return false;
            };
            left = &left[at + part.len()..];
        }
        left.ends_with(last)
    })
}

/// A folder in which this release is `qemu-system-x86_64`. Its path stays the same, because what a QEMU offers is kept by path.
fn folder_with(release: &'static str) -> Option<PathBuf> {
    let qemu = require(Capability::QemuRelease(release))?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("reproduce")
        .join(release);
    std::fs::create_dir_all(&folder).expect("a folder");
    let link = folder.join("qemu-system-x86_64");
    if std::fs::read_link(&link).ok().as_ref() != Some(&qemu) {
        // Another test may make it at the same time.
        let _ = std::fs::remove_file(&link);
        let _ = std::os::unix::fs::symlink(&qemu, &link);
    }
    Some(folder)
}

/// All that a line prints, in the repository's root, and how it ends.
fn print(line: &str, qemu: &Path) -> String {
    let own = Path::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
    let mut path = qemu.as_os_str().to_owned();
    for folder in [
        own.parent().map(|folder| folder.as_os_str().to_owned()),
        std::env::var_os("PATH"),
    ] {
        path.push(":");
        path.push(folder.unwrap_or_default());
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let output = Command::new("sh")
        .args(["-c", line])
        .env("PATH", path)
        .env("TMPDIR", temporary.path())
        .env_remove("QEMU")
        .env_remove("CI")
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("sh starts");
    let text = [output.stdout, output.stderr].concat();
    format!("{}{}\n", String::from_utf8_lossy(&text), output.status)
}

/// Name and text of every page.
fn pages() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join("docs/findings")).expect("the folder");
    let paths = entries.flatten().map(|entry| entry.path());
    let mut pages: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (
                name.into_owned(),
                std::fs::read_to_string(&path).expect("a page"),
            )
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn each_finding_is_reproduced_as_its_page_shows() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (name, text) in pages() {
        let blocks = reproductions(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        count += blocks.len();
        for block in blocks {
            let missing = block.missing_in_any();
            wrong.extend(missing.iter().map(|line| format!("{name}: {line}")));
        }
    }
    assert!(count >= 12, "{count} reproductions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The parts that a page's draft of a report lacks; none where it has no draft.
fn lacking(page: &str) -> Vec<&'static str> {
    let Some((_, draft)) = page.split_once("\n## Report\n") else {
        return Vec::new();
    };
    let has = |part: &str| {
        let mut lines = draft.lines();
        lines.any(|line| line.len() > part.len() && line.starts_with(part))
    };
    REPORT.into_iter().filter(|part| !has(part)).collect()
}

#[test]
fn each_draft_of_a_report_has_all_its_parts() {
    let pages = pages();
    let drafts = pages
        .iter()
        .filter(|(_, text)| text.contains("\n## Report\n"));
    assert!(drafts.count() >= 9);
    for (name, text) in &pages {
        assert!(lacking(text).is_empty(), "{name}: {:?}", lacking(text));
    }
}

#[test]
fn what_is_not_printed_is_found() {
    let page = "```sh reproduce 11.1\necho avx2; exit 3\n```\n\n```text\navx2\nexit status: 3\navx512f\n```\n";
    let blocks = reproductions(page).expect("a block");
    let [block] = blocks.as_slice() else {
        panic!("{blocks:?}")
    };
    or_skip!(require(Capability::QemuRelease("11.1")));
    assert_eq!(
        block.missing_in_any(),
        ["QEMU 11.1: echo avx2; exit 3\nnot printed: avx512f\navx2\nexit status: 3\n"]
    );
}

#[test]
fn a_line_is_shown_whole() {
    let text = " status  124\nERROR a: killed; last seen at b; c failed\n";
    for shown in [
        "status 124",
        "status …",
        "… last seen at b; …",
        "ERROR …; c failed",
    ] {
        assert!(shows(text, shown), "{shown}");
    }
    for shown in [
        "status 1",
        "24",
        "… seen",
        "ERROR … x",
        "… c … last …",
        "error …",
    ] {
        assert!(!shows(text, shown), "{shown}");
    }
}

#[test]
fn a_block_or_a_draft_without_its_parts_is_refused() {
    for page in [
        "```sh reproduce 11.1\ntrue\n```\n",
        "```sh reproduce 11.1\n```\n```text\na\n```\n",
        "```sh reproduce 1.0\ntrue\n```\n```text\na\n```\n",
        "```sh reproduce 11.1\ntrue\nfalse\n```\n```text\na\n```\n",
    ] {
        assert!(reproductions(page).is_err(), "{page}");
    }
    assert_eq!(reproductions("```sh\ntrue\n```\n"), Ok(Vec::new()));
    let draft = "# A\n\n## Report\n\n**Subject:** a\n**Expected:** b\n**Happens:** \n";
    assert_eq!(
        lacking(draft),
        ["**Happens:** ", "**Versions:** ", "**Suggested fix:** "]
    );
}
