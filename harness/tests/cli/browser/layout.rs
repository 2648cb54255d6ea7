//! The page as it lies on screens of three widths: what is seen first, and that nothing has to be pushed sideways.

use std::path::Path;

use cpuid_fidelity::results::history::History;
use cpuid_fidelity::results::{Head, Row, RunFile, Status};

use super::{DARK, LIGHT, dom, html, left, page, page_of, with_script};
use crate::require::{Capability, require};
use cpuid_fidelity::report::shown::Shown;

/// Width and height of a screen: of a desk, a tablet, a telephone.
const SCREENS: [(u32, u32); 3] = [(1400, 900), (800, 1000), (390, 844)];

/// What `script` returns in a page on a screen of that size.
fn on_screen(
    browser: &Path,
    page: &str,
    screen: (u32, u32),
    options: &[&str],
    script: &str,
) -> String {
    let [result] = on_screens(browser, page, [screen], options, script);
    result
}

/// What `script` returns in a page on each of these screens, all in one browser. Browsers have no window that is as narrow as a
/// telephone's: each screen is a frame.
fn on_screens<const N: usize>(
    browser: &Path,
    page: &str,
    screens: [(u32, u32); N],
    options: &[&str],
    script: &str,
) -> [String; N] {
    let inner = with_script(page, script)
        .replace('&', "&amp;")
        .replace('"', "&quot;");
    let name = |(width, height)| format!("screen{width}x{height}");
    let frames = screens.map(|screen| {
        let (width, height) = screen;
        let id = name(screen);
        format!("<iframe id={id} width={width} height={height} style=\"border:0\" srcdoc=\"{inner}\"></iframe>")
    });
    let page = format!("<!DOCTYPE html><body>{}</body>", frames.concat());
    let dom = dom(browser, &page, options);
    screens.map(|screen| left(&dom, &name(screen)))
}

/// On each screen, `script` returns `expected` in a page of `count` cases.
fn assert_on_screens(count: usize, script: &str, expected: &str) {
    let browser = or_skip!(require(Capability::Browser));
    let (_folder, path) = page(count);
    let page = std::fs::read_to_string(path).expect("the page");
    let results = on_screens(&browser, &page, SCREENS, &[LIGHT], script);
    assert_eq!(results, [expected; SCREENS.len()], "{SCREENS:?}");
}

/// What reaches out of the screen, and what scrolls sideways in itself; with the map on all models, and with a case open.
const SIDEWAYS: &str = "const found = new Set();
    const look = (when) => { for (const one of document.querySelectorAll('body *')) {
      if (!one.checkVisibility() || one.closest('.skip') || one.closest('svg')) continue;
      const box = one.getBoundingClientRect(), style = getComputedStyle(one);
      if (box.width && box.right > innerWidth + 1) found.add(`${when} ${one.tagName} ${one.className}`);
      if (['auto', 'scroll'].includes(style.overflowX) && one.scrollWidth > one.clientWidth + 1) found.add(`${when} ${one.tagName} scrolls`);
    } if (document.documentElement.scrollWidth > innerWidth) found.add(when); };
    look('opened'); form.elements.only.value = 'all'; form.elements.lane.value = ''; form.elements.qemu.value = '';
    form.dispatchEvent(new Event('input')); look('whole'); document.querySelector('td.FAIL').click(); look('case');
    document.querySelectorAll('details').forEach((one) => { one.open = true; }); look('unfolded');
    return [innerWidth > 0, ...found].join('; ');";

#[test]
fn nothing_scrolls_sideways() {
    // As many machine types as fit on no screen.
    assert_on_screens(10_000, SIDEWAYS, "true");
}

#[test]
fn every_column_head_is_whole() {
    let script = "const heads = [...document.querySelectorAll('#grid thead span')];
        const cut = heads.filter((head) => { const box = head.getBoundingClientRect(), cell = head.parentElement.getBoundingClientRect();
          return head.scrollHeight > head.clientHeight + 1 || head.scrollWidth > head.clientWidth + 1 || box.width > cell.width + 1 ||
            box.height > cell.height + 1; });
        return [new Set(heads.map((head) => head.textContent)).size, cut.length].join(' ');";
    assert_on_screens(10_000, script, "80 0");
}

#[test]
fn a_failure_stands_above_the_fold() {
    let script = "const cards = document.querySelectorAll('.card'), title = cards[0].querySelector('h3').getBoundingClientRect();
        const map = document.getElementById('map').getBoundingClientRect();
        return [title.bottom < innerHeight, cards[0].querySelector('dl').getBoundingClientRect().top < innerHeight, map.top > title.bottom].join(' ');";
    assert_on_screens(500, script, "true true true");
}

#[test]
fn the_map_opens_on_what_is_not_green_and_uses_the_width() {
    let script = "const rows = [...document.querySelectorAll('#grid tbody tr')], table = document.querySelector('#grid table');
        const green = rows.filter((row) => !row.querySelector('.FAIL')).length;
        return [rows.length > 0, green, form.elements.only.value, table.getBoundingClientRect().width > 0.9 * grid.clientWidth].join(' ');";
    assert_on_screens(10_000, script, "true 0 odd true");
}

#[test]
fn paper_gets_a_map_that_fits() {
    let script = "dispatchEvent(new Event('beforeprint'));
      const widest = Math.max(...[...document.querySelectorAll('#grid thead tr')].map((row) => row.cells.length));
        return widest < 31;";
    assert_on_screens(10_000, script, "true");
}

/// The least contrast of all text with what is behind it, and texts below WCAG's AA: 4.5, or 3 where they are large.
const CONTRAST: &str = "const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const numbers = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const light = (colour) => { const [r, g, b] = numbers(colour).map((value) => channel(value / 255)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const clear = (colour) => numbers(colour)[3] === 0;
    const behind = (one) => { for (; one; one = one.parentElement) { const colour = getComputedStyle(one).backgroundColor;
      if (!clear(colour)) return colour; } };
    const texts = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    document.querySelector('td.FAIL').click(); document.querySelectorAll('details').forEach((one) => { one.open = true; });
    document.querySelectorAll('[data-copy]').forEach((button) => copied(button, true));
    const low = new Set(); let seen = 0;
    for (const one of document.querySelectorAll('body *')) {
      if (!one.checkVisibility() || !texts(one) || ['SCRIPT', 'STYLE', 'OPTION'].includes(one.tagName)) continue;
      const style = getComputedStyle(one), pair = [light(style.color), light(behind(one))].sort((a, b) => b - a);
      const ratio = (pair[0] + 0.05) / (pair[1] + 0.05), size = parseFloat(style.fontSize);
      seen += 1; if (ratio < (size >= 24 || (size >= 18.66 &&
        style.fontWeight >= 700) ? 3 : 4.5)) low.add(`${one.tagName}.${one.className} ${ratio.toFixed(2)}`);
    } return [seen > 100, ...low].join('; ');";

/// One case of each outcome, over and over, beside a failure; nights before them.
fn page_of_all_outcomes() -> String {
    let row = |number: usize| {
        let status = Status::ALL[number % Status::ALL.len()];
        let mut row = Row::missing((format!("tcg/qemu-11.1/pc-q35-8.2/Model{number}-v1"), None))
            .expect("a row");
        row.status = status;
        row.reason = format!("because {}", status.name());
        row.reproduce = vec!["cpuid-fidelity".to_owned(), "check".to_owned()];
        row
    };
    let night = |rows: Vec<Row>| RunFile {
        name: "x".to_owned(),
        head: Head::default(),
        rows,
        cut: false,
    };
    let tonight = night((0..60).map(row).collect());
    let history = History::from_nights(vec![night((0..30).map(row).collect())]);
    let compared = history.compare(&tonight.rows);
    html::run(&Shown::new(&tonight, Some(&compared)), Some(&history)).expect("a page")
}

#[test]
fn all_text_has_the_contrast_of_wcag_aa_in_light_and_in_dark() {
    let browser = or_skip!(require(Capability::Browser));
    let (_folder, path) = page(500);
    let failures = std::fs::read_to_string(path).expect("the page");
    for page in [failures, page_of_all_outcomes()] {
        for scheme in [LIGHT, DARK] {
            let whole = format!(
                "form.elements.only.value = 'all'; form.dispatchEvent(new Event('input')); {CONTRAST}"
            );
            assert_eq!(
                on_screen(&browser, &page, SCREENS[0], &[scheme], &whole),
                "true",
                "{scheme}"
            );
        }
    }
}

#[test]
fn two_of_431_are_seen_in_the_trend() {
    let browser = or_skip!(require(Capability::Browser));
    let night = |day: usize, bad: usize| {
        let row = |number: usize| {
            let mut row =
                Row::missing((format!("tcg/qemu-11.1/-/Model{number}"), None)).expect("a row");
            row.status = if number < bad {
                Status::Fail
            } else {
                Status::Pass
            };
            row
        };
        let head = Head {
            started: format!("2026-11-{day:02}T01:00:00Z"),
            ..Head::default()
        };
        RunFile {
            name: "x".to_owned(),
            head,
            rows: (0..431).map(row).collect(),
            cut: false,
        }
    };
    let nights = (1..30).map(|day| night(day, if day == 9 { 431 } else { 0 }));
    let history = History::from_nights(nights.collect());
    let tonight = night(30, 2);
    let page = html::run(&Shown::new(&tonight, None), Some(&history)).expect("a page");
    let script = "const last = document.querySelector('.nights .now'), bar = last.querySelector('i').getBoundingClientRect();
        const number = last.querySelector('b'); return [number.textContent, number.checkVisibility(), bar.height >= 5, bar.width >= 5,
        getComputedStyle(last.querySelector('i')).backgroundColor].join(' ');";
    let seen = on_screens(&browser, &page, SCREENS, &[LIGHT], script);
    let expected = "2 true true true rgb(198, 40, 40)";
    assert_eq!(seen, [expected; SCREENS.len()], "{SCREENS:?}");
}

#[test]
fn a_page_of_no_case_and_one_of_fifty_thousand_are_whole() {
    let browser = or_skip!(require(Capability::Browser));
    let script = "return [document.documentElement.dataset.ready, document.querySelector('h1').textContent, rows.length].join('; ');";
    let (_folder, path) = page_of(Vec::new());
    let empty = std::fs::read_to_string(path).expect("the page");
    assert_eq!(
        on_screen(&browser, &empty, SCREENS[2], &[], script),
        "yes; Nothing was compared; 0"
    );
    let (_folder, path) = page(50_000);
    let large = std::fs::read_to_string(path).expect("the page");
    let whole = format!(
        "form.elements.only.value = 'all'; form.dispatchEvent(new Event('input')); {script}"
    );
    let seen = on_screen(&browser, &large, SCREENS[0], &[], &whole);
    assert_eq!(
        seen,
        "yes; 7143 of 50000 cases are not as expected: 1 cause; 50000"
    );
}
