//! Whatever text a QEMU, a kernel or a file brings into a run: every report keeps its structure, and shows the text as text.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use proptest::prelude::*;
use proptest::sample::select;

use super::changes::account;
use super::markup::code;
use super::shown::Shown;
use super::styled::{Detail, Manner};
use super::{compat, html, junit, kcidb, ktap, markdown, migration, summary};
use crate::case::migration::Way;
use crate::check::Layer;
use crate::results::crossing::{By, Crossed, Crossing, Outcome};
use crate::results::fixture::{head, lost, row};
use crate::results::migration::{self as moved, Migration};
use crate::results::{Row, RunFile, Status};
use crate::util::printable::{hidden, line};

/// What means something to a terminal, to CI, to a shell, or in one of the formats.
const ALPHABET: [&str; 66] = [
    "a",
    "v1",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "\0",
    "\u{7}",
    "\u{1b}[31m",
    "\u{1b}]0;x\u{7}",
    "\u{7f}",
    "\u{9b}2J",
    "\u{a0}",
    "\u{ad}",
    "\u{200b}",
    "\u{202e}",
    "\u{2028}",
    "\u{2066}",
    "\u{3164}",
    "\u{feff}",
    "\u{ffff}",
    "\u{e0041}",
    "e\u{301}",
    "#",
    " # SKIP x",
    "\\",
    "\\n",
    "`",
    "```",
    "````sh",
    "~~~",
    "<",
    ">",
    "<b>",
    "</script>",
    "<script>alert(1)</script>",
    "<!--",
    "-->",
    "]]>",
    "<img src=x>",
    "<details>",
    "</details>",
    "</summary>",
    "&",
    "&amp;",
    "&#64;",
    "\"",
    "'",
    "|",
    "@user",
    "#1",
    "*",
    "_x_",
    "[x](http://example.org)",
    "http://example.org",
    "$(id)",
    ";",
    "=",
    "\nok 99 x",
    "\n# Subtest: x",
    "\n::error::x",
    "##vso[x]",
    "- ",
];

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::collection::vec(select(&ALPHABET[..]), 1..9);
    parts.prop_map(|parts| parts.concat())
}

/// Cases of every outcome, with `text` wherever one of theirs can be.
fn rows(text: &str) -> Vec<Row> {
    let own = |text: &str| text.to_owned();
    let mut failed = lost("kvm/qemu-11.1/-/max", &["avx2"]);
    failed.case = format!("kvm/{text}");
    failed.qemu.label = own(text);
    failed.qemu.version = own(text);
    failed.qemu.package = own(text);
    failed.machine = own(text);
    failed.cpu = own(text);
    failed.host = Some(own(text));
    failed.reason = own(text);
    failed.command = vec![own("qemu"), own(text)];
    let finding = &mut failed.changes[0];
    finding.name = own(text);
    finding.layer = Layer::Other(own(text));
    finding.nearest = Some(own(text));
    if let Some(minus) = &mut finding.minus {
        minus.text = own(text);
    }
    let mut all = vec![failed];
    for status in Status::ALL {
        let mut other = row(&format!("tcg/qemu-11.1/-/{}", status.name()), status);
        other.reason = format!("because {text}");
        other.command.clear();
        all.push(other);
    }
    all
}

fn shown(text: &str) -> Shown {
    let mut head = head(&[]);
    head.started = text.to_owned();
    head.host.cpu = text.to_owned();
    let file = RunFile {
        name: "x".to_owned(),
        head,
        rows: rows(text),
        cut: false,
    };
    Shown::new(&file, None)
}

/// A row of a migration between releases, and one that was held against an older release.
fn crossed(text: &str) -> Vec<Row> {
    let change = Crossed {
        kind: crate::check::Kind::Gained,
        name: text.to_owned(),
        place: "CPUID.01H.00H:ECX[21]".parse().expect("a place"),
        before: text.to_owned(),
        after: text.to_owned(),
        review: format!("intended: {text}"),
    };
    let mut changed = rows(text).remove(0);
    let from = changed.qemu.clone();
    changed.crossing = Some(Crossing {
        from: crate::results::crossing::Binary {
            label: "qemu-7.2".to_owned(),
            version: "7.2.0".to_owned(),
            ..from.clone()
        },
        by: By::Boot,
        outcome: Outcome::Changes,
        lacking: None,
        changes: vec![change],
        command: Vec::new(),
    });
    changed.migration = Some(Migration {
        from: from.clone(),
        to: from,
        way: Way::Live,
        outcome: Some(moved::Outcome::Changed),
        sides: vec![text.to_owned()],
        message: text.to_owned(),
        total_ms: None,
        downtime_ms: None,
        ram_bytes: None,
    });
    vec![changed]
}

/// Nothing in it is obeyed by a terminal, or is there and not seen.
fn assert_printable(text: &str) {
    let found = text
        .chars()
        .find(|letter| hidden(*letter) && !"\n\t".contains(*letter));
    assert_eq!(found, None);
}

/// The nodes of a Markdown document, with its text where that is not code.
fn shape(markdown: &str) -> Vec<String> {
    let mut options = Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.render.r#unsafe = true;
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &options);
    // Causes stand in the order of their words.
    let mut names: Vec<String> = root.descendants().map(name).collect();
    names.sort();
    names
}

fn name<'a>(node: &'a AstNode<'a>) -> String {
    match &node.data.borrow().value {
        NodeValue::Text(text) => format!("text {text}"),
        NodeValue::Code(_) => "code".to_owned(),
        NodeValue::CodeBlock(block) => format!("block of {}", block.info),
        NodeValue::HtmlBlock(html) => match html.literal.strip_prefix("<details><summary><code>") {
            Some(rest) => {
                let end = rest.split_once('<').map(|(_, end)| end);
                assert_eq!(end, Some("/code></summary>\n"), "{rest}");
                "summary".to_owned()
            }
            None => html.literal.clone(),
        },
        other => other.xml_node_name().to_owned(),
    }
}

fn code_of(markdown: &str) -> Vec<String> {
    let arena = Arena::new();
    let root = parse_document(&arena, markdown, &Options::default());
    let code = root
        .descendants()
        .filter_map(|node| match &node.data.borrow().value {
            NodeValue::Code(code) => Some(code.literal.clone()),
            NodeValue::CodeBlock(block) => Some(block.literal.clone()),
            _ => None,
        });
    code.collect()
}

/// The numbers of the test points that a reader of KTAP finds.
fn test_points(ktap: &str) -> Vec<usize> {
    let point = |line: &str| {
        let rest = line.strip_prefix("not ").unwrap_or(line);
        let number = rest.strip_prefix("ok ")?.split(' ').next()?;
        number.parse().ok()
    };
    ktap.lines().filter_map(point).collect()
}

proptest! {
    #[test]
    fn ktap_has_a_line_a_case_whatever_their_texts_are(text in hostile()) {
        let shown = shown(&text);
        let ktap = ktap::run(&shown);
        assert_printable(&ktap);
        let count = shown.rows().len();
        assert_eq!(test_points(&ktap), (1..=count).collect::<Vec<_>>(), "{ktap}");
        let rest = ktap.lines().skip(2).filter(|line| line.starts_with("# ")).count();
        assert_eq!(rest + count + 2, ktap.lines().count(), "{ktap}");
        assert!(!ktap.lines().any(|line| line.starts_with("# Subtest:")), "{ktap}");
        // `([^#]*)( # .*)?$` is what the kernel's kunit_parser.py takes for a description and a directive.
        for point in ktap.lines().filter(|line| !line.starts_with('#')) {
            let directive = point.find('#').map(|at| &point[at..]);
            assert!(directive.is_none_or(|word| ["# SKIP ", "# XFAIL ", "# ERROR "].iter().any(|known| word.starts_with(known))), "{point}");
        }
    }

    #[test]
    fn junit_has_an_element_a_case_whatever_their_texts_are(text in hostile()) {
        let shown = shown(&text);
        let xml = junit::run(&shown).expect("XML");
        assert_printable(&xml);
        let document = roxmltree::Document::parse(&xml).expect("XML");
        let elements = document.descendants().filter(roxmltree::Node::is_element);
        let cases: Vec<_> = elements.clone().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases.len(), shown.rows().len());
        let known = ["testsuites", "testsuite", "testcase", "failure", "error", "skipped"];
        assert!(elements.clone().all(|node| known.contains(&node.tag_name().name())), "{xml}");
        let named = |node: &roxmltree::Node<'_, '_>| node.attribute("name") == Some(&*line(&format!("kvm/{text}")));
        assert_eq!(cases.iter().filter(|node| named(node)).count(), 1, "{xml}");
    }

    #[test]
    fn kcidb_has_an_object_a_case_whatever_their_texts_are(text in hostile()) {
        let shown = shown(&text);
        let json = kcidb::run(&shown, "x");
        assert_printable(&json);
        let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let tests = report["tests"].as_array().expect("tests");
        assert_eq!(tests.len(), shown.rows().len());
        let ids = tests.iter().filter_map(|test| test["id"].as_str());
        // The schema's `.+` ends at a line end.
        assert!(ids.clone().all(|id| !id.contains('\n')), "{json}");
        assert_eq!(tests[0]["misc"]["command"][1], text.as_str());
    }

    #[test]
    fn markdown_shows_hostile_text_as_code_and_makes_no_other_element(text in hostile()) {
        let markdown = markdown::run(&shown(&text));
        assert_printable(&markdown);
        assert_eq!(shape(&markdown), shape(&markdown::run(&shown("plain"))), "{markdown}");
        let diff = format!("-cpuid 0x00000007.00 ebx[ 4]     {}\n", line(&text));
        assert!(code_of(&markdown).contains(&diff), "{markdown}");
    }

    #[test]
    fn a_code_span_reads_as_the_text_that_it_was_made_of(text in hostile()) {
        prop_assume!(!text.trim_matches(' ').is_empty());
        assert_eq!(code_of(&code(&text)), [line(&text)]);
    }

    #[test]
    fn the_page_holds_hostile_text_as_data(text in hostile()) {
        let page = html::run(&shown(&text), None).expect("a page");
        assert_printable(&page);
        let plain = html::run(&shown("plain"), None).expect("a page");
        for markup in ["<script", "</script", "<!--", "<img", "<b>", "<details"] {
            assert_eq!(page.matches(markup).count(), plain.matches(markup).count(), "{markup}");
        }
        let data = html::data(&page);
        let holds = |wanted: &str| data["strings"].as_array().is_some_and(|all| all.iter().any(|one| *one == wanted));
        assert!(holds(&line(&text)), "{data}");
    }

    #[test]
    fn results_read_back_whatever_their_texts_are(text in hostile()) {
        for mut row in rows(&text).into_iter().chain(crossed(&text)) {
            // Expectation lines are read by their columns, and never made of such text.
            row.changes.iter_mut().for_each(|finding| finding.minus = None);
            let json = serde_json::to_string(&row).expect("JSON");
            assert!(!json.contains(|letter: char| letter < ' '), "{json}");
            assert_eq!(serde_json::from_str::<Row>(&json).expect("a row"), row);
        }
    }

    #[test]
    fn the_terminal_shows_hostile_text_in_the_line_where_it_belongs(text in hostile()) {
        let shown = shown(&text);
        let manner = Manner { detail: Detail::Verbose, ..Manner::default() };
        let summary = summary::plain(&shown, std::time::Duration::ZERO, &manner);
        assert_printable(&summary);
        let plain = summary::plain(&self::shown("plain"), std::time::Duration::ZERO, &manner);
        assert_eq!(summary.lines().count(), plain.lines().count(), "{summary}");
        for row in rows(&text).iter().chain(&crossed(&text)) {
            assert_hanging(&account(row));
            assert_hanging(&migration::describe(row));
        }
        let shown = Shown::of_rows(&crossed(&text));
        assert_printable(&compat::text(&shown));
        assert_eq!(compat::text(&shown).lines().count(), compat::text(&Shown::of_rows(&crossed("plain"))).lines().count());
    }
}

/// Behind the first line of an account, each is indented or one of a diff.
fn assert_hanging(account: &str) {
    assert_printable(account);
    let mut lines = account.lines().skip(1);
    let ours =
        |line: &str| line.is_empty() || line.starts_with("  ") || line.starts_with("-cpuid ");
    let stray = lines.find(|line| !ours(line));
    assert_eq!(stray, None, "{account}");
}
