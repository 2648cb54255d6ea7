//! Markdown, for an issue or a page: a table a section. What may come from outside stands in code spans.

use crate::describe::description::Description;
use crate::describe::page::{Name, Row, Section};
use crate::report::markup::{cell, code};

/// All descriptions, each below a heading.
pub fn markdown(descriptions: &[Description]) -> String {
    let texts: Vec<String> = descriptions.iter().map(one_text).collect();
    texts.join("\n")
}

fn one_text(description: &Description) -> String {
    let mut text = format!("## {}\n", code(&description.title));
    for section in description.sections() {
        text.push_str(&format!("\n### {}\n\n", section.heading));
        text.push_str(&rows(&section));
    }
    text
}

fn rows(section: &Section) -> String {
    let mut text = String::new();
    let mut in_table = false;
    for row in &section.rows {
        let is_pair = matches!(row, Row::Pair(..));
        if is_pair && !in_table {
            let gap = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}| | |\n|---|---|\n"));
        } else if !is_pair && in_table {
            text.push('\n');
        }
        in_table = is_pair;
        match row {
            Row::Pair(name, value) => {
                text.push_str(&format!("| {} | {} |\n", name.trim(), cell(value)));
            }
            Row::Line(indent, line) => {
                text.push_str(&format!("{}- {}\n", "  ".repeat(*indent), code(line)));
            }
            Row::Names(title, names) => {
                let names: Vec<String> = names.iter().map(one_name).collect();
                text.push_str(&format!("- {title}: {}\n", names.join(" ")));
            }
        }
    }
    text
}

fn one_name(name: &Name) -> String {
    match name.others.as_slice() {
        [] => code(&name.name),
        others => format!("{} ({})", code(&name.name), others.join(", ")),
    }
}
