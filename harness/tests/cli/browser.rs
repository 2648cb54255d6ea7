//! The HTML report in a real browser, headless: what its page reports of itself, by its elements and their computed style.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cpuid_fidelity::check::{Finding, Layer};
use cpuid_fidelity::cpuid::line::Line;
use cpuid_fidelity::evidence::flow::Step;
use cpuid_fidelity::report::html;
use cpuid_fidelity::report::shown::Shown;
use cpuid_fidelity::results::Status;
use cpuid_fidelity::results::{Head, Row, RunFile};
use cpuid_fidelity::util::printable::line;
use cpuid_fidelity::util::shell::pasteable;
use serde_json::{Value, json};

mod layout;
mod reading;

use super::require::{Capability, require, root, unpacked_qemus};
use super::world::World;

/// The page of a run with these cases, in a folder of its own.
fn page_of(rows: Vec<Row>) -> (tempfile::TempDir, PathBuf) {
    let file = RunFile {
        name: "x".to_owned(),
        head: Head::default(),
        rows,
        cut: false,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    let page = html::run(&Shown::new(&file, None), None).expect("a page");
    std::fs::write(&path, page).expect("a file");
    (folder, path)
}

/// A page of so many of these rows, in a folder of its own.
fn page(count: usize) -> (tempfile::TempDir, PathBuf) {
    page_of(rows(count))
}

/// So many cases, every seventh of which lost a feature.
pub fn rows(count: usize) -> Vec<Row> {
    let row = |number: usize| {
        let name = format!(
            "tcg/qemu-11.1/pc-q35-{}.0/Model{}-v1",
            number / 125 + 1,
            number % 125
        );
        let mut row = Row::missing((name, None)).expect("a row");
        row.reason.clear();
        row.status = Status::Pass;
        row.command = vec![
            "qemu-system-x86_64".to_owned(),
            "-cpu".to_owned(),
            row.cpu.clone(),
        ];
        row.reproduce = [
            "cpuid-fidelity",
            "check",
            "--machine",
            &row.machine,
            "--cpu",
            &row.cpu,
        ]
        .map(str::to_owned)
        .to_vec();
        if number % 7 == 3 {
            row.status = Status::Fail;
            let line = Line::read("cpuid 0x00000007.00 ebx[ 5]     avx2").expect("a line");
            let finding = Finding::between_lines(Some(&line), None, Layer::Qemu);
            row.changes.extend(finding);
            row.flow = Some(vec![Step {
                layer: "guest".to_owned(),
                present: 7,
                lost: vec!["avx2".to_owned()],
                gained: Vec::new(),
            }]);
        }
        row
    };
    (0..count).map(row).collect()
}

/// What `script`, run in the page after its own script, returns. `options` are the browser's.
fn evaluate(browser: &Path, page: &Path, options: &[&str], script: &str) -> String {
    let text = std::fs::read_to_string(page).expect("the page");
    dataset(browser, &with_script(&text, script), options)
}

/// The page with `script` behind its own; the result is left at the outermost document.
fn with_script(page: &str, script: &str) -> String {
    let tail = format!(
        "<script>{{ const name = frameElement?.id || 'result';
         const leave = (result) => {{ parent.document.documentElement.dataset[name] = result; }};
         try {{ leave((() => {{ {script} }})()); }} catch (error) {{ leave(String(error)); }} }}</script></body>"
    );
    page.replace("</body>", &tail)
}

/// The result that a page leaves.
fn dataset(browser: &Path, page: &str, options: &[&str]) -> String {
    left(&dom(browser, page, options), "result")
}

/// The result that a script left under this name.
fn left(dom: &str, name: &str) -> String {
    let start = format!("data-{name}=\"");
    let (_, rest) = dom.split_once(&start).expect("the script ran");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The page's elements once its scripts ran.
fn dom(browser: &Path, page: &str, options: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("page.html");
    std::fs::write(&copy, page).expect("the page");
    let profile = folder.path().join("profile");
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--hide-scrollbars", "--no-first-run", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(options)
        .arg(format!("file://{}", copy.display()))
        .output()
        .expect("a browser");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// In a page of `count` cases, `script` returns `expected`.
fn assert_in_page(count: usize, options: &[&str], script: &str, expected: &str) {
    let browser = or_skip!(require(Capability::Browser));
    let (_folder, page) = page(count);
    assert_eq!(evaluate(&browser, &page, options, script), expected);
}

#[test]
fn the_map_shows_every_case_and_opens_where_it_failed() {
    let script = "const opened = new Set([...document.querySelectorAll('#grid tbody tr')].map((row) => row.querySelector('.FAIL') !== null));
        form.elements.only.value = 'all'; form.dispatchEvent(new Event('input'));
        const cell = document.querySelector('td.FAIL'); cell.click(); const shown = document.getElementById('case');
        return [document.querySelectorAll('td[data-row]').length, document.querySelectorAll('td.FAIL').length, shown.open,
        shown.textContent.includes('-cpuid 0x00000007.00 ebx[ 5]     avx2'), shown.textContent.includes('qemu-system-x86_64 -cpu Model'),
        shown.querySelector('.flow .lost').textContent, ...opened].join(' ');";
    assert_in_page(500, &[], script, "500 71 true true true −1: avx2 true");
}

#[test]
fn the_keyboard_walks_the_map_and_opens_a_case() {
    let script = "const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        form.elements.only.value = 'all'; form.dispatchEvent(new Event('input'));
        document.querySelector('td[tabindex=\"0\"]').focus(); key('ArrowRight'); key('ArrowDown');
        const at = document.activeElement.title, tabs = document.querySelectorAll('td[tabindex=\"0\"]').length; key('Enter');
        return [at, tabs, document.getElementById('case').open].join(' ');";
    let expected = "PASS tcg/qemu-11.1/pc-q35-2.0/Model1-v1 1 true";
    assert_in_page(500, &[], script, expected);
}

#[test]
fn a_cause_narrows_the_map_and_the_form_widens_it() {
    let script = "const count = () => document.querySelectorAll('td[data-row]').length;
        document.querySelector('[data-cause]').click(); const few = count();
        form.elements.only.value = 'all'; const find = document.querySelector('[name=find]'); find.value = 'model12';
          find.dispatchEvent(new Event('input', {bubbles: true}));
        return [few, count()].join(' ');";
    // Model12 and Model120 to Model124, each on four machine types.
    assert_in_page(500, &[], script, "71 24");
}

#[test]
fn ten_thousand_cases_are_drawn_within_two_seconds() {
    let script = "const start = performance.now(); document.querySelector('.controls').dispatchEvent(new Event('input'));
        const took = performance.now() - start; return [document.querySelectorAll('td[data-row]').length, took < 2000 ? 'quick' : took].join(' ');";
    assert_in_page(10_000, &[], script, "10000 quick");
}

/// How many elements that `selector` finds take up room on screen, and the background colours that they have.
fn shown(selector: &str) -> String {
    format!(
        "const all = [...document.querySelectorAll('{selector}')].filter((one) => one.checkVisibility() && one.getBoundingClientRect().width >= 8
        && one.getBoundingClientRect().height >= 8);
        return [all.length, ...new Set(all.map((one) => getComputedStyle(one).backgroundColor))].join(' ');"
    )
}

const LIGHT: &str = "--blink-settings=preferredColorScheme=1";
const DARK: &str = "--blink-settings=preferredColorScheme=0";

#[test]
fn a_failure_is_red_on_screen_in_light_and_in_dark() {
    for (scheme, red) in [(LIGHT, "rgb(198, 40, 40)"), (DARK, "rgb(242, 97, 87)")] {
        let expected = format!("71 {red}");
        assert_in_page(500, &[scheme], &shown("td.FAIL"), &expected);
    }
}

#[test]
fn ten_thousand_cases_are_reported_within_five_seconds() {
    let started = Instant::now();
    let (_folder, path) = page(10_000);
    let size = std::fs::metadata(path).expect("the page").len();
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert!(size < 2_500_000, "{size}");
}

/// A run of two models on one machine type over all QEMUs that are unpacked here, in which one guest of the newest lost a feature.
fn run_of_all_releases(qemus: &[PathBuf]) -> Option<World> {
    let mut world = World::new(&[], &[])?;
    // A release without expectations of its own is skipped; these are the project's, to be read and not written.
    let expectations = root().join("expectations");
    world.configure(&format!(
        "qemu = []\nexpectations = {expectations:?}\n[default]\ndefinition.models = [\"EPYC-v1\", \"Skylake-Server-v4\"]\n\
         definition.machines = [\"pc-q35-3.1\"]\ntcg.models = [\"Skylake-Server-v4\"]\n"
    ));
    world.add_arguments("-global EPYC-v1-x86_64-cpu.avx2=off");
    let mut arguments = Vec::new();
    for qemu in qemus {
        let wrapped = *qemu == world.real;
        let path = if wrapped { &world.qemu } else { qemu };
        arguments.extend(["--qemu".to_owned(), path.display().to_string()]);
    }
    let run = "run --lane definition --lane tcg --html report.html --json run.jsonl";
    arguments.extend(run.split(' ').map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    world.run(&arguments).expect(1);
    Some(world)
}

#[test]
fn a_real_run_over_all_releases_is_shown() {
    let browser = or_skip!(require(Capability::Browser));
    let qemus = unpacked_qemus();
    let world = or_skip!(run_of_all_releases(&qemus));
    let cases = world.cases("run.jsonl");
    let labels: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case["qemu"]["label"].as_str())
        .collect();
    assert_eq!(labels.len(), qemus.len(), "{labels:?}");
    let failed = cases.iter().filter(|case| case["status"] == "FAIL").count();
    assert_eq!(failed, 1, "{cases:#?}");
    let in_page = |script: &str| {
        // Every release on one map, from the form.
        let form =
            "for (const [name, value] of [['lane', 'definition'], ['qemu', ''], ['axis', 'qemu'], ['only', 'all']])
            document.querySelector(`[name=${name}]`).value = value;
            document.querySelector('.controls').dispatchEvent(new Event('input'));";
        let script = format!("{form}\n{script}");
        evaluate(&browser, &world.path("report.html"), &[LIGHT], &script)
    };
    let heads = in_page(
        "return [...document.querySelectorAll('#grid thead th span')].map((span) => span.textContent).join(' ');",
    );
    assert_eq!(heads.split(' ').collect::<BTreeSet<_>>(), labels);
    assert_eq!(in_page(&shown("td.FAIL")), "1 rgb(198, 40, 40)");
    let (passed, green) = (in_page(&shown("td.PASS")), " rgb(215, 239, 221)");
    let passed = passed.strip_suffix(green).expect("green cells");
    assert!(
        passed.parse::<usize>().expect("a number") >= qemus.len(),
        "{passed}"
    );
}

/// What would run a script, add an element or end one, in a page or in the script's own data.
const HOSTILE: [&str; 9] = [
    "<img src=x onerror=\"document.title='ran'\">",
    "\"><script>document.title='ran'</script>",
    "</script><script>document.title='ran'</script>",
    "<!--<script>",
    "</td></table><svg onload=\"document.title='ran'\">",
    "' onmouseover='document.title=1' x='",
    "${document.title='ran'}`",
    "\u{202e}$(touch x);'\n\u{1b}[31m",
    "&lt;b&gt;\\u003cb>",
];

/// A failed case with `text` wherever one of its own can be.
fn hostile(text: &str) -> Row {
    let mut row =
        Row::missing((format!("kvm/qemu/m/{text}"), Some(text.to_owned()))).expect("a row");
    row.status = Status::Fail;
    row.reason = text.to_owned();
    row.qemu.label = text.to_owned();
    row.machine = text.to_owned();
    row.cpu = text.to_owned();
    row.command = vec!["qemu".to_owned(), text.to_owned()];
    row.reproduce = vec!["cpuid-fidelity".to_owned(), text.to_owned()];
    let line = Line::read("cpuid 0x00000007.00 ebx[ 5]     avx2").expect("a line");
    let finding = Finding::between_lines(Some(&line), None, Layer::Other(text.to_owned()));
    row.changes.extend(finding);
    row.changes[0].name = text.to_owned();
    row.flow = Some(vec![Step {
        layer: text.to_owned(),
        present: 7,
        lost: vec![text.to_owned()],
        gained: vec![text.to_owned()],
    }]);
    row
}

#[test]
fn hostile_text_is_text_in_the_page_and_runs_nothing() {
    let browser = or_skip!(require(Capability::Browser));
    let (_folder, page) = page_of(HOSTILE.map(hostile).to_vec());
    // Every case is opened; what is shown comes as the fragment's numbers, so that nothing of it is markup on its way here.
    let script = "const form = document.querySelector('.controls'); form.elements.qemu.value = ''; form.elements.lane.value = '';
        form.dispatchEvent(new Event('input'));
        const odd = () => document.querySelectorAll('img, svg, [onerror], [onload], [onmouseover]').length + document.scripts.length;
        const shown = [], counts = new Set();
        for (let row = 0; row < 9; row += 1) {
          const cell = document.querySelector(`td[data-row=\"${row}\"]`); cell.click(); counts.add(odd());
          const again = document.getElementById('again').textContent;
          shown.push([document.querySelector('dd:nth-of-type(5)').textContent, document.getElementById('command').textContent, again]);
        }
        const bytes = new TextEncoder().encode(JSON.stringify([document.documentElement.dataset.ready, document.title, [...counts], shown]));
        return [...bytes].join(' ');";
    let numbers = evaluate(&browser, &page, &[], script);
    let bytes = numbers
        .split(' ')
        .map(|number| number.parse().expect("a byte"));
    let seen: Value = serde_json::from_slice(&bytes.collect::<Vec<u8>>()).expect("JSON");
    let title = "cpuid-fidelity: 9 of 9 cases are not as expected: 9 causes";
    // The data, the page's script, and the one that asks.
    let expected = HOSTILE.map(|text| {
        let name = line(text);
        json!([
            name,
            pasteable(&["qemu".to_owned(), text.to_owned()]),
            pasteable(&["cpuid-fidelity".to_owned(), text.to_owned()])
        ])
    });
    assert_eq!(seen, json!(["yes", title, [3], expected]));
}
