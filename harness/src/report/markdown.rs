//! Markdown, for a comment on a merge request: short, the causes first, the rest folded away.

use crate::check::Finding;
use crate::results::Status;
use crate::results::history::Compared;
use crate::results::{Cluster, Row, clusters};

use super::markup::{cell, code, fence, html_code};
use super::reproducer;
use super::shown::Shown;
use super::summary::{counts, since, trends};
use crate::util::shell::pasteable;

/// Most causes in the comment; GitHub cuts comments at 65,536 characters.
const CAUSES: usize = 20;
/// Most lines of a diff.
const LINES: usize = 30;

/// The comment. What comes from outside stands in code, where no renderer looks for markup, links or names to notify.
pub fn run(shown: &Shown) -> String {
    let (rows, compared) = (shown.rows(), shown.compared());
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
    text.push_str(&table(rows));
    text + &causes(rows, compared)
}

fn causes(rows: &[Row], compared: Option<&Compared>) -> String {
    let all = clusters(rows);
    let (loud, quiet): (Vec<_>, Vec<_>) = all
        .iter()
        .partition(|cluster| cluster.rows.iter().any(|row| row.bad()));
    let mut text = String::new();
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
            text.push_str(&format!("- {}\n", sentence(cluster)));
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn table(rows: &[Row]) -> String {
    let words = Status::ALL.map(Status::name);
    let mut text = format!(
        "| QEMU | lane | {} |\n|---|---|{}\n",
        words.join(" | "),
        "--:|".repeat(words.len())
    );
    for ((label, lane), counts) in counts(rows) {
        let cells = Status::ALL.map(|status| match counts.get(&status) {
            Some(count) => count.to_string(),
            None => "·".to_owned(),
        });
        let (label, cells) = (cell(&label), cells.join(" | "));
        text.push_str(&format!("| {label} | {lane} | {cells} |\n"));
    }
    text
}

fn cause(cluster: &Cluster<'_>, compared: Option<&Compared>) -> String {
    let since = compared.map_or(String::new(), |compared| since(compared, cluster));
    let mut text = format!("\n{}{since}\n", sentence(cluster));
    let Some(row) = cluster.rows.first() else {
        return text;
    };
    let lines: String = row.changes.iter().map(Finding::diff).collect();
    let lines: Vec<&str> = lines.lines().take(LINES).collect();
    text.push_str(&format!(
        "<details><summary>{}</summary>\n",
        html_code(&row.case)
    ));
    if !lines.is_empty() {
        text.push_str(&format!("\n{}", fence("diff", &lines.join("\n"))));
    }
    if let Some(command) = reproducer::command(row) {
        let reading = reproducer::reading(row.status);
        let block = fence("sh", &command);
        text.push_str(&format!("\nReproduce ({reading}):\n\n{block}"));
    }
    if !row.command.is_empty() {
        let block = fence("sh", &pasteable(&row.command));
        text.push_str(&format!("\nQEMU alone:\n\n{block}"));
    }
    text + "\n</details>\n"
}

/// As [`Cluster::sentence`].
fn sentence(cluster: &Cluster<'_>) -> String {
    let sentence = cluster.sentence();
    let status = cluster.status.name();
    let rest = sentence.strip_prefix(status).unwrap_or(&sentence);
    format!("**{status}** {}", code(rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{lost, row};

    #[test]
    fn a_cause_brings_the_diff_and_the_command() {
        let text = run(&Shown::of_rows(&[lost("tcg/qemu-11.1/-/max", &["avx2"])]));
        for wanted in [
            "### cpuid-fidelity: 1 of 1 cases are not as expected",
            "**FAIL** `avx2 lost at CPUID.07H.00H:EBX[4] (layer qemu): max · - · tcg qemu-11.1`",
            "```diff\n-cpuid 0x00000007.00 ebx[ 4]     avx2\n```",
            "Reproduce (exit status 1 and the same lines: it is still so; 0: it is not; 3: it could not be run):\n\n\
             ```sh\ncpuid-fidelity check --cpu max\n```",
            "QEMU alone:\n\n```sh\nqemu-system-x86_64 -cpu max\n```",
        ] {
            assert!(text.contains(wanted), "{wanted}\nin\n{text}");
        }
    }

    #[test]
    fn all_is_well_in_one_line() {
        let text = run(&Shown::of_rows(&[row("tcg/qemu-11.1/-/max", Status::Pass)]));
        assert!(text.starts_with("### cpuid-fidelity: every guest sees the CPU it was promised\n"));
        assert!(!text.contains("details"));
    }
}
