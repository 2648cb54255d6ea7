//! The HTML report in a real browser: Debian's chromium, headless. Skipped aloud where there is none: some
//! distributions have it as a snap only, which runs in no container.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cpuid_fidelity::check::{Kind, Status};
use cpuid_fidelity::evidence::flow::Step;
use cpuid_fidelity::report::html;
use cpuid_fidelity::results::{Finding, Head, Row, RunFile};

use super::world::World;

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = names
        .iter()
        .find_map(|name| cpuid_fidelity::util::path::in_path(name));
    if found.is_none() {
        let message = "SKIPPED: no chromium; run scripts/setup\n";
        let _ = std::io::stderr().write_all(message.as_bytes());
    }
    found
}

/// A page of `count` cases, every seventh of which lost a feature, in a folder of its own.
fn page(count: usize) -> (tempfile::TempDir, PathBuf) {
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
        if number % 7 == 3 {
            row.status = Status::Fail;
            row.changes.push(Finding {
                check: "expectation".to_owned(),
                kind: Kind::Lost,
                place: "CPUID.07H.00H:EBX[5]".to_owned(),
                name: "avx2".to_owned(),
                expected: "avx2".to_owned(),
                actual: String::new(),
                layer: "qemu".to_owned(),
                minus: Some("cpuid 0x00000007.00 ebx[ 5]     avx2".to_owned()),
                plus: None,
            });
            row.flow = Some(vec![Step {
                layer: "guest".to_owned(),
                present: 7,
                lost: vec!["avx2".to_owned()],
                gained: Vec::new(),
            }]);
        }
        row
    };
    let file = RunFile {
        name: "x".to_owned(),
        head: Head::default(),
        rows: (0..count).map(row).collect(),
        cut: false,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    std::fs::write(&path, html::run(&file, None, None).expect("a page")).expect("a file");
    (folder, path)
}

fn chromium(browser: &Path, folder: &Path, page: &Path, arguments: &[&str]) -> String {
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `script`, run in the page after its own script, leaves in `<html data-said>`.
fn said(count: usize, script: &str) -> Option<String> {
    let browser = browser()?;
    let (folder, page) = page(count);
    let text = std::fs::read_to_string(&page).expect("the page");
    let tail = format!(
        "<script>try {{ document.documentElement.dataset.said = (() => {{ {script} }})(); }} \
         catch (error) {{ document.documentElement.dataset.said = String(error); }}</script></body>"
    );
    std::fs::write(&page, text.replace("</body>", &tail)).expect("the page");
    let dom = chromium(&browser, folder.path(), &page, &["--dump-dom"]);
    let (_, rest) = dom.split_once("data-said=\"").expect("the script ran");
    Some(rest.split('"').next().unwrap_or_default().to_owned())
}

#[test]
fn the_map_shows_every_case_and_opens_where_it_failed() {
    let script = "const cell = document.querySelector('td.FAIL'); cell.click(); const shown = document.getElementById('case');
        return [document.querySelectorAll('td[data-row]').length, document.querySelectorAll('td.FAIL').length, shown.open,
        shown.textContent.includes('-cpuid 0x00000007.00 ebx[ 5]     avx2'), shown.textContent.includes('qemu-system-x86_64 -cpu Model'),
        shown.querySelector('.flow .lost').textContent].join(' ');";
    if let Some(said) = said(500, script) {
        assert_eq!(said, "500 71 true true true −1: avx2");
    }
}

#[test]
fn the_keyboard_walks_the_map_and_opens_a_case() {
    let script = "const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
        document.querySelector('td[tabindex=\"0\"]').focus(); key('ArrowRight'); key('ArrowDown');
        const at = document.activeElement.title, tabs = document.querySelectorAll('td[tabindex=\"0\"]').length; key('Enter');
        return [at, tabs, document.getElementById('case').open].join(' ');";
    if let Some(said) = said(500, script) {
        assert_eq!(said, "PASS tcg/qemu-11.1/pc-q35-2.0/Model1-v1 1 true");
    }
}

#[test]
fn a_cause_narrows_the_map_and_the_form_widens_it() {
    let script = "const count = () => document.querySelectorAll('td[data-row]').length;
        document.querySelector('[data-cause]').click(); const few = count();
        const find = document.querySelector('[name=find]'); find.value = 'model12'; find.dispatchEvent(new Event('input', {bubbles: true}));
        return [few, count()].join(' ');";
    if let Some(said) = said(500, script) {
        // Model12 and Model120 to Model124, each on four machine types.
        assert_eq!(said, "71 24");
    }
}

#[test]
fn ten_thousand_cases_are_drawn_within_two_seconds() {
    let script = "const start = performance.now(); document.querySelector('.controls').dispatchEvent(new Event('input'));
        const took = performance.now() - start; return [document.querySelectorAll('td[data-row]').length, took < 2000 ? 'quick' : took].join(' ');";
    if let Some(said) = said(10_000, script) {
        assert_eq!(said, "10000 quick");
    }
}

/// Pixels of a screenshot with this colour.
fn pixels(scheme: &str, colour: [u8; 3]) -> Option<usize> {
    let browser = browser()?;
    let (folder, page) = page(500);
    let shot = folder.path().join("shot.png");
    let screenshot = format!("--screenshot={}", shot.display());
    let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
    chromium(
        &browser,
        folder.path(),
        &page,
        &[&screenshot, &scheme, "--window-size=1200,3600"],
    );
    Some(count(&shot, colour))
}

/// Pixels of a picture with this colour.
fn count(shot: &Path, colour: [u8; 3]) -> usize {
    let decoder = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open(shot).expect("a screenshot"),
    ));
    let mut reader = decoder.read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut bytes).expect("a frame");
    let step = info.color_type.samples();
    bytes
        .chunks(step)
        .filter(|pixel| pixel.starts_with(&colour))
        .count()
}

#[test]
fn a_failure_is_red_on_screen_in_light_and_in_dark() {
    // 71 cells of some 20 by 18 pixels, less their letters.
    for (scheme, colour) in [("1", [0xc6, 0x28, 0x28]), ("0", [0xf2, 0x61, 0x57])] {
        if let Some(pixels) = pixels(scheme, colour) {
            assert!(pixels > 71 * 150, "scheme {scheme}: {pixels}");
        }
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
    assert!(size < 5_000_000, "{size}");
}

/// Every QEMU that set-up and scripts/fetch-qemu brought, each with two models and one machine type, one of them with a feature lost.
#[test]
fn a_real_run_over_all_releases_is_shown() {
    let Some(browser) = browser() else { return };
    let Some(mut world) = World::new(&[], &[]) else {
        return;
    };
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/qemu");
    let there = std::fs::read_dir(&cache).into_iter().flatten().flatten();
    let mut qemus: Vec<PathBuf> = there
        .map(|entry| entry.path().join("qemu-system-x86_64"))
        .filter(|path| path.is_file())
        .collect();
    qemus.sort_by_key(|path| cpuid_fidelity::util::order::natural(&path.to_string_lossy()));
    let newest = world.real.clone();
    // A release without expectations of its own is skipped; these are the project's, to be read and not written.
    let expectations = Path::new(env!("CARGO_MANIFEST_DIR")).join("expectations");
    world.configure(&format!(
        "qemu = []\nexpectations = {expectations:?}\n[default]\ndefinition.models = [\"EPYC-v1\", \"Skylake-Server-v4\"]\n\
         definition.machines = [\"pc-q35-3.1\"]\ntcg.models = [\"Skylake-Server-v4\"]\n"
    ));
    world.wrap_adding("-global EPYC-v1-x86_64-cpu.avx2=off");
    let mut words = Vec::new();
    for qemu in &qemus {
        let path = if *qemu == newest { &world.qemu } else { qemu };
        words.extend(["--qemu".to_owned(), path.display().to_string()]);
    }
    let run = "run --lane definition --lane tcg --html report.html --json run.jsonl";
    words.extend(run.split(' ').map(str::to_owned));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    world.run(&words).expect(1);
    let cases = world.cases("run.jsonl");
    let page = world.path("report.html");
    let folder = tempfile::tempdir().expect("a folder");
    let shot = folder.path().join("shot.png");
    // Every release on one map, from the form.
    let text = std::fs::read_to_string(&page).expect("the page");
    let tail = "<script>for (const [name, value] of [['lane', 'definition'], ['qemu', ''], ['axis', 'qemu']]) \
                document.querySelector(`[name=${name}]`).value = value; \
                document.querySelector('.controls').dispatchEvent(new Event('input')); \
                document.documentElement.dataset.said = [...document.querySelectorAll('#grid thead th span')].map((span) => span.textContent).join(' ');</script></body>";
    std::fs::write(&page, text.replace("</body>", tail)).expect("the page");
    let screenshot = format!("--screenshot={}", shot.display());
    chromium(
        &browser,
        folder.path(),
        &page,
        &[
            &screenshot,
            "--blink-settings=preferredColorScheme=1",
            "--window-size=1200,2400",
        ],
    );
    let dom = chromium(&browser, folder.path(), &page, &["--dump-dom"]);
    let (_, rest) = dom.split_once("data-said=\"").expect("the script ran");
    let shown = rest.split('"').next().unwrap_or_default();
    let labels: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case["qemu"]["label"].as_str())
        .collect();
    assert_eq!(labels.len(), qemus.len(), "{labels:?}");
    assert_eq!(shown.split(' ').collect::<BTreeSet<_>>(), labels);
    let failed = cases.iter().filter(|case| case["status"] == "FAIL").count();
    assert_eq!(failed, 1, "{cases:#?}");
    let red = count(&shot, [0xc6, 0x28, 0x28]);
    // The cell, its word in the table, and the mark of its cause.
    assert!(red > 150, "{red}");
    let green = count(&shot, [0xd7, 0xef, 0xdd]);
    assert!(green > 150 * qemus.len(), "{green}");
}
