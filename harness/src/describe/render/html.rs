//! One page that loads nothing: a table a section; a name's place shows where the pointer rests on it.

use crate::describe::description::Description;
use crate::describe::page::{Name, Row, Section};
use crate::util::printable::line;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:1.5rem 0 .3rem}table{border-collapse:collapse}\
th{text-align:left;font-weight:normal;padding:.1rem 1.5rem .1rem 0;vertical-align:top;opacity:.75}\
td{padding:.1rem 0}code{font-size:.9rem}small{opacity:.7}ul{margin:.2rem 0;padding-left:1.2rem}\
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}}";

/// A page of all descriptions.
pub fn html(descriptions: &[Description]) -> String {
    let title = descriptions.first().map_or("", |first| &first.title);
    let bodies: String = descriptions.iter().map(body).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{bodies}</body>\n</html>\n",
        escaped(title)
    )
}

fn body(description: &Description) -> String {
    let sections = description.sections();
    let sections: String = sections.iter().map(section).collect();
    format!("<h1>{}</h1>\n{sections}", escaped(&description.title))
}

fn section(section: &Section) -> String {
    let mut text = format!("<h2>{}</h2>\n", escaped(&section.heading));
    let mut open = "";
    for row in &section.rows {
        let element = if matches!(row, Row::Pair(..)) {
            "table"
        } else {
            "ul"
        };
        if open != element {
            text.push_str(&end(open));
            text.push_str(&format!("<{element}>\n"));
            open = element;
        }
        text.push_str(&row_text(row));
    }
    text + &end(open)
}

fn end(element: &str) -> String {
    if element.is_empty() {
        String::new()
    } else {
        format!("</{element}>\n")
    }
}

fn row_text(row: &Row) -> String {
    match row {
        Row::Pair(name, value) => {
            let (name, value) = (escaped(name), escaped(value));
            format!("<tr><th>{name}</th><td>{value}</td></tr>\n")
        }
        Row::Line(indent, text) => {
            let space = "&emsp;".repeat(*indent);
            format!("<li>{space}{}</li>\n", escaped(text))
        }
        Row::Names(title, names) => {
            let names: Vec<String> = names.iter().map(one_name).collect();
            format!("<li>{}<br>{}</li>\n", escaped(title), names.join(" "))
        }
    }
}

fn one_name(name: &Name) -> String {
    let (own, place) = (escaped(&name.name), escaped(&name.place));
    let own = format!("<code title=\"{place}\">{own}</code>");
    match name.others.as_slice() {
        [] => own,
        others => format!("{own} <small>({})</small>", escaped(&others.join(", "))),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in line(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
