//! What the documentation says is true: the commands of README.md run as they are typed, and print what README.md shows;
//! every relative link leads somewhere; pages keep to their size.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::require::{Capability, require, root};

/// Seconds that a guest may take: enough on a machine that is busy.
const TIMEOUT: &str = "60";

/// What README.md's commands need: all that `scripts/setup` fetches.
const NEEDED: [Capability; 4] = [
    Capability::QemuRelease("7.2"),
    Capability::QemuRelease("10.0"),
    Capability::QemuRelease("11.1"),
    Capability::Kernel("6.12"),
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One section of README.md that has commands: what to run, and what it shows of their output.
#[derive(Debug, Default)]
struct Section {
    title: String,
    commands: String,
    status: i32,
    output: Vec<String>,
}

/// The sections whose heading `wanted` accepts. A section's commands are its blocks ```sh, its output its blocks ```text,
/// its exit status that of the prose (`Exit status 1`), else 0.
fn sections(markdown: &str, wanted: impl Fn(&str) -> bool) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut fence = None;
    for line in markdown.lines() {
        if let Some(language) = line.strip_prefix("```") {
            fence = fence.is_none().then(|| language.to_owned());
        } else if fence.is_none() && line.starts_with('#') {
            let title = line.trim_start_matches('#').trim().to_owned();
            sections.push(Section {
                title,
                ..Section::default()
            });
        } else if let Some(section) = sections.last_mut() {
            section.take(fence.as_deref(), line);
        }
    }
    sections.retain(|section| wanted(&section.title));
    sections
}

impl Section {
    fn take(&mut self, fence: Option<&str>, line: &str) {
        match fence {
            Some("sh") => self.commands += &format!("{line}\n"),
            Some("text") => self.output.push(line.to_owned()),
            Some(_) => {}
            None => {
                let status = line.strip_prefix("Exit status ");
                let status = status.and_then(|rest| rest.split(',').next()?.parse().ok());
                self.status = status.unwrap_or(self.status);
            }
        }
    }

    /// Runs the commands in the repository's root and returns all that they print.
    fn run(&self) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_cpuid-fidelity"));
        let mut path = program.parent().expect("a folder").as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .args(["-eu", "-c", &self.commands])
            .env("PATH", path)
            .env("TIMEOUT", TIMEOUT)
            .env_remove("QEMU")
            .env_remove("CI")
            .current_dir(root())
            .output()
            .expect("sh starts");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(
            output.status.code(),
            Some(self.status),
            "{}:\n{text}",
            self.title
        );
        text
    }
}

/// Whether a line of `text` has all parts of `shown` in this order; `…` stands for anything, and white space for white space.
fn shows(text: &str, shown: &str) -> bool {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = squeeze(shown);
    text.lines().map(squeeze).any(|line| {
        let mut rest = line.as_str();
        shown.split('…').map(str::trim).all(|part| {
            let found = rest.find(part).map(|at| &rest[at + part.len()..]);
            rest = found.unwrap_or(rest);
            found.is_some()
        })
    })
}

fn run_and_compare(wanted: impl Fn(&str) -> bool, count: usize) {
    for capability in NEEDED {
        or_skip!(require(capability));
    }
    let sections = sections(&read(&root().join("README.md")), wanted);
    assert_eq!(sections.len(), count, "sections of README.md");
    for section in sections {
        assert!(
            !section.commands.is_empty(),
            "{}: no command",
            section.title
        );
        let printed = section.run();
        for line in &section.output {
            assert!(
                shows(&printed, line),
                "{}: not printed: {line}\n{printed}",
                section.title
            );
        }
    }
}

#[test]
fn the_seven_tasks_run_as_they_are_typed() {
    run_and_compare(
        |title| title.starts_with(|first: char| first.is_ascii_digit()),
        7,
    );
}

#[test]
fn what_people_hold_is_read_as_it_is_shown() {
    run_and_compare(|title| title == "Read what you hold", 1);
}

#[test]
fn the_failure_reads_as_it_is_shown() {
    run_and_compare(|title| title == "How a failure reads", 1);
}

#[test]
fn a_line_is_shown_only_where_all_its_parts_stand_in_one_line() {
    assert!(shows(
        "a\n lost  avx2 at EBX[5] (qemu)\n",
        "lost avx2 … (qemu)"
    ));
    assert!(!shows("lost avx2\n(qemu)\n", "lost avx2 … (qemu)"));
    assert!(!shows("lost avx at EBX[5] (qemu)\n", "lost avx2 … (qemu)"));
}

/// Markdown files that git tracks or that are new and not ignored.
fn pages() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.md",
        ])
        .current_dir(root())
        .output()
        .expect("git starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| root().join(line))
        .filter(|path| path.exists())
        .collect()
}

/// The targets of a page's links, without those that lead to another site.
fn links(markdown: &str) -> impl Iterator<Item = &str> {
    let rests = markdown.split("](").skip(1);
    let targets = rests.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace))
}

/// The anchor that a heading gets: lower case, spaces as hyphens, without punctuation.
fn anchor(heading: &str) -> String {
    let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

fn broken(page: &Path, target: &str) -> Option<String> {
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        page.to_owned()
    } else {
        page.parent().expect("a folder").join(file)
    };
    let headings = || read(&path);
    let is_there = path.exists()
        && (fragment.is_empty()
            || headings()
                .lines()
                .any(|line| line.starts_with('#') && anchor(line) == fragment));
    (!is_there).then(|| format!("{}: nothing at {target}", page.display()))
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    assert!(pages.len() > 5, "too few pages: {pages:?}");
    let broken: Vec<String> = pages
        .iter()
        .flat_map(|page| {
            let text = read(page);
            links(&text)
                .filter_map(|target| broken(page, target))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_to_nothing_is_found() {
    let page = root().join("README.md");
    assert!(broken(&page, "no-such-file.md").is_some());
    assert!(broken(&page, "README.md#no-such-heading").is_some());
    assert_eq!(broken(&page, "README.md#five-tasks"), None);
    assert_eq!(
        links("[a](b.md) [c](https://d.e) [f](#g)").collect::<Vec<_>>(),
        ["b.md", "#g"]
    );
}

#[test]
fn readme_is_at_most_8_kib() {
    let size = read(&root().join("README.md")).len();
    assert!(
        size <= 8192,
        "README.md has {size} bytes: move some of it to docs/"
    );
}

/// Lines that are too long: prose at most 100 columns; tables, code and lines with a link at most 160.
fn too_long(page: &Path) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    let text = read(page);
    for (number, line) in text.lines().enumerate() {
        is_code ^= line.starts_with("```");
        let is_prose = !is_code && !line.starts_with('|') && !line.contains("](");
        let limit = if is_prose { 100 } else { 160 };
        let columns = line.chars().count();
        if columns > limit {
            found.push(format!(
                "{}:{}: {columns} columns, over {limit}",
                page.display(),
                number + 1
            ));
        }
    }
    found
}

#[test]
fn no_line_of_a_page_is_too_long() {
    let found: Vec<String> = pages().iter().flat_map(|page| too_long(page)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_line_that_is_too_long_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.md");
    let text = format!("{0}\n|{0}\n```\n{0}\n{0}{0}\n```\n", "x".repeat(101));
    std::fs::write(&page, text).expect("a file");
    let found = too_long(&page);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].ends_with("page.md:1: 101 columns, over 100"),
        "{found:?}"
    );
    assert!(
        found[1].ends_with("page.md:5: 202 columns, over 160"),
        "{found:?}"
    );
}

#[test]
fn every_link_of_a_waiver_into_this_repository_leads_somewhere() {
    let text = read(&root().join("expectations/waivers.toml"));
    let links = text
        .lines()
        .filter_map(|line| line.strip_prefix("link = \""));
    let links = links.filter_map(|link| link.strip_suffix('"'));
    let links: Vec<&str> = links.filter(|link| link.ends_with(".md")).collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(root().join(link).exists(), "waivers.toml links to {link}");
    }
}
