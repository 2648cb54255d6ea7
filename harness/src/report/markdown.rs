//! Markdown, for a comment on a merge request: short, the causes first, the rest folded away.

use crate::check::Finding;
use crate::results::Status;
use crate::results::history::Compared;
use crate::results::{Cluster, RunFile, clusters};

use super::summary::{counts, since, trends};
use crate::util::shell::pasteable;

/// Most causes in the comment; GitHub cuts comments at 65,536 characters.
const CAUSES: usize = 20;
/// Most lines of a diff.
const LINES: usize = 30;

/// The comment.
pub fn run(file: &RunFile, compared: Option<&Compared>) -> String {
    let rows = &file.rows;
    let bad = rows.iter().filter(|row| row.bad()).count();
    let verdict = match bad {
        0 => "every guest sees the CPU it was promised".to_owned(),
        bad => format!("{bad} of {} cases are not as expected", rows.len()),
    };
    let mut text = format!("### cpuid-fidelity: {verdict}\n\n");
    if let Some(compared) = compared {
        text.push_str(&format!(
            "Against the nights before: {}.\n\n",
            trends(compared)
        ));
    }
    text.push_str(&table(file));
    let all = clusters(rows);
    let (loud, quiet): (Vec<_>, Vec<_>) = all
        .iter()
        .partition(|cluster| cluster.rows.iter().any(|row| row.bad()));
    for cluster in loud.iter().take(CAUSES) {
        text.push_str(&cause(cluster, compared));
    }
    if loud.len() > CAUSES {
        text.push_str(&format!(
            "\n… and {} further causes.\n",
            loud.len() - CAUSES
        ));
    }
    if !quiet.is_empty() {
        text.push_str("\n<details><summary>Waived and skipped</summary>\n\n");
        for cluster in quiet.iter().take(CAUSES) {
            text.push_str(&format!("- {}\n", escaped(&cluster.sentence())));
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn table(file: &RunFile) -> String {
    let words = Status::ALL.map(Status::name);
    let mut text = format!(
        "| QEMU | lane | {} |\n|---|---|{}\n",
        words.join(" | "),
        "--:|".repeat(words.len())
    );
    for ((label, lane), counts) in counts(&file.rows) {
        let cells = Status::ALL.map(|status| match counts.get(&status) {
            Some(count) => count.to_string(),
            None => "·".to_owned(),
        });
        text.push_str(&format!("| {label} | {lane} | {} |\n", cells.join(" | ")));
    }
    text
}

fn cause(cluster: &Cluster<'_>, compared: Option<&Compared>) -> String {
    let since = compared.map_or(String::new(), |compared| since(compared, cluster));
    let mut text = format!("\n**{}**{since}\n", escaped(&cluster.sentence()));
    let Some(row) = cluster.rows.first() else {
        return text;
    };
    let lines: String = row.changes.iter().map(Finding::diff).collect();
    let lines: Vec<&str> = lines.lines().take(LINES).collect();
    text.push_str(&format!("<details><summary>{}</summary>\n", row.case));
    if !lines.is_empty() {
        text.push_str(&format!("\n```diff\n{}\n```\n", lines.join("\n")));
    }
    if !row.command.is_empty() {
        text.push_str(&format!("\n```sh\n{}\n```\n", pasteable(&row.command)));
    }
    text + "\n</details>\n"
}

/// What Markdown would take for markup, so that it reads as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if "*_`<>|[]#".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{head, lost, row};

    fn file(rows: Vec<crate::results::Row>) -> RunFile {
        RunFile {
            name: "x".to_owned(),
            head: head(&[]),
            rows,
            cut: false,
        }
    }

    #[test]
    fn a_cause_brings_the_diff_and_the_command() {
        let text = run(&file(vec![lost("tcg/qemu-11.1/-/max", &["avx2"])]), None);
        for wanted in [
            "### cpuid-fidelity: 1 of 1 cases are not as expected",
            "**FAIL avx2 lost at CPUID.07H.00H:EBX\\[4\\] (layer qemu): max · - · tcg qemu-11.1**",
            "```diff\n-cpuid 0x00000007.00 ebx[ 4]     avx2\n```",
            "```sh\nqemu-system-x86_64 -cpu max\n```",
        ] {
            assert!(text.contains(wanted), "{wanted}\nin\n{text}");
        }
    }

    #[test]
    fn all_is_well_in_one_line() {
        let text = run(&file(vec![row("tcg/qemu-11.1/-/max", Status::Pass)]), None);
        assert!(text.starts_with("### cpuid-fidelity: every guest sees the CPU it was promised\n"));
        assert!(!text.contains("details"));
    }
}
