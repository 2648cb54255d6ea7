//! The sections one after the other, within a terminal's width, and as Markdown.

use super::answer::{alternatives, blocked, head, remedies};
use super::changes::since;
use super::extent::Extent;
use super::hosts::{classes, remarks};
use super::lines::{Section, escaped, wrapped};
use super::partition::{pools, vendors};
use super::proof::{direct, labs, proofs};
use crate::fleet::page::Page;
use crate::util::printable;

/// For a terminal.
pub fn text(page: &Page, extent: Extent) -> String {
    let mut out = String::new();
    for (heading, lines) in sections(page, extent) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("{}\n", printable::line(&heading)));
        for line in lines {
            out.push_str(&wrapped(&printable::line(&line)));
        }
    }
    out
}

/// For an issue, or a page of an operator's.
pub fn markdown(page: &Page) -> String {
    let mut out = String::new();
    for (at, (heading, lines)) in sections(page, Extent::All).into_iter().enumerate() {
        let level = if at == 0 { "#" } else { "##" };
        out.push_str(&format!("{level} {}\n\n", escaped(&heading)));
        for line in &lines {
            out.push_str(&match line.strip_prefix("-cpu ") {
                Some(cpu) => format!("```\n-cpu {}\n```\n", printable::line(cpu)),
                None => format!("- {}\n", escaped(line.trim())),
            });
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn sections(page: &Page, extent: Extent) -> Vec<Section> {
    let named = |heading: &str, lines| (heading.to_owned(), lines);
    let mut all = vec![head(page, extent)];
    if let Some(change) = &page.since {
        all.push(named("since then", since(change)));
    }
    if let Some(answer) = &page.answer {
        if extent == Extent::All {
            all.push(named("alternatives", alternatives(answer)));
        }
        all.push(named("why not more", blocked(page, extent)));
        all.push(named(
            "what would give more",
            remedies(page, answer, extent),
        ));
    }
    all.push(named(
        "pools, in each of which guests move",
        pools(page, extent),
    ));
    all.push(named("an answer for each vendor", vendors(page, extent)));
    all.extend(proofs(page));
    all.push(named("on KVM alone", direct(page)));
    all.extend(labs(page));
    all.push(named("hosts", classes(page, extent)));
    all.push(named("to know", remarks(page, extent)));
    all.retain(|(_, lines)| !lines.is_empty());
    all
}
