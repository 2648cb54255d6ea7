use super::*;
use crate::report::shown::Shown;
use crate::results::Row;
use crate::results::fixture::{head, lost, row};
use crate::results::history::History;
use crate::results::{RunFile, Status};

fn page(rows: Vec<Row>) -> String {
    let file = RunFile {
        name: "x".to_owned(),
        head: head(&[]),
        rows,
        cut: false,
    };
    run(&Shown::new(&file, None), None).expect("a page")
}

/// The data that the page's script reads.
pub fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .expect("the data");
    let (data, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(data).expect("JSON")
}

#[test]
fn the_page_loads_nothing() {
    let page = page(vec![lost("tcg/qemu-11.1/-/max", &["avx2"])]);
    for foreign in ["http://", "https://", "src=", "<link", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn a_cause_stands_in_the_page_without_a_script() {
    let page = page(vec![lost("tcg/qemu-11.1/-/max", &["avx2"])]);
    for wanted in [
        "<span class=\"badge FAIL\">FAIL</span> <span>avx2 lost at CPUID.07H.00H:EBX[4]</span>",
        "<span class=\"key\">layer</span> qemu",
        "<del>-cpuid 0x00000007.00 ebx[ 4]     avx2</del>",
        "<span>cpuid-fidelity</span> <span>check</span> <span>--cpu max</span></pre>",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(
        page.contains("<title>cpuid-fidelity: 1 of 1 case is not as expected: 1 cause</title>")
    );
}

#[test]
fn what_a_guest_or_a_user_wrote_is_no_markup() {
    let mut bad = lost("tcg/qemu-11.1/-/max", &["avx2"]);
    bad.cpu = "</script><img onerror=alert(1)>".to_owned();
    bad.changes[0].name = "<b>&\"".to_owned();
    let page = page(vec![bad.clone()]);
    let (before, rest) = page.split_once("<script type=").expect("the data");
    assert!(!before.contains("<img") && before.contains("&#60;img"));
    assert_eq!(
        rest.matches("</script>").count(),
        2,
        "the data and the script end once each"
    );
    let strings = data(&page)["strings"].to_string();
    assert!(strings.contains("<img onerror"), "{strings}");
}

#[test]
fn every_case_is_in_the_data_with_its_finding() {
    let page = page(vec![
        row("tcg/qemu-11.1/-/486-v1", Status::Pass),
        lost("tcg/qemu-11.1/-/max", &["avx2"]),
    ]);
    let data = data(&page);
    assert_eq!(data["rows"].as_array().map(Vec::len), Some(2));
    assert_eq!(data["causes"], serde_json::json!([[1]]));
    assert_eq!(data["rows"][1][9], serde_json::json!([0]));
}

/// A page of so many cases, every seventh of which lost features, with commands as long as real ones.
fn page_of(count: usize) -> String {
    let arguments = (0..40).map(|argument| format!("-argument-{argument}"));
    let arguments: Vec<String> = arguments.collect();
    let many = (0..count).map(|number| {
        let (machine, model) = (number / 125, number % 125);
        let case = format!("definition/qemu-11.1/pc-q35-{machine}.0/Model{model}-v1");
        let mut row = if number % 7 == 0 {
            lost(&case, &["avx2", "avx512f"])
        } else {
            row(&case, Status::Pass)
        };
        let own = [row.machine.clone(), row.cpu.clone()];
        row.command = arguments.iter().cloned().chain(own.clone()).collect();
        row.reproduce = arguments[..9].iter().cloned().chain(own).collect();
        row
    });
    page(many.collect())
}

#[test]
fn the_page_is_small() {
    for (cases, most) in [(0, 60_000), (1_500, 400_000), (10_000, 2_500_000)] {
        let size = page_of(cases).len();
        assert!(size < most, "{cases} cases: {size}");
    }
}

#[test]
fn a_command_is_packed_as_what_is_other_in_it() {
    let data = data(&page_of(3));
    assert_eq!(data["commands"].as_array().map(Vec::len), Some(2));
    let packed = data["rows"][2][8].as_array().map(Vec::len);
    assert_eq!(packed, Some(3), "the first one, a place, the model");
}

#[test]
fn what_changed_since_the_last_good_night_is_in_the_card() {
    let case = "kvm/qemu-11.1/-/max";
    let night = |microcode: &str, package: &str, mut row: Row| {
        let mut head = head(&[]);
        head.host.microcode = microcode.to_owned();
        row.qemu.version = "11.1.3".to_owned();
        row.qemu.package = package.to_owned();
        RunFile {
            name: "night".to_owned(),
            head,
            rows: vec![row],
            cut: false,
        }
    };
    let history = History::from_nights(vec![night("0x1", "Debian 1", row(case, Status::Pass))]);
    let tonight = night("0x2", "Debian 2", lost(case, &["avx2"]));
    let compared = history.compare(&tonight.rows);
    let page = run(&Shown::new(&tonight, Some(&compared)), Some(&history)).expect("a page");
    for wanted in [
        "11.1.3 (Debian 2), ",
        "<b>changed</b>, was 11.1.3 (Debian 1), ",
        "<span class=\"key\">microcode</span> 0x2 <span class=\"was\"><b>changed</b>, was 0x1</span>",
        "2026-11-24 (tonight for the first time); last good 2026-11-24",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
}
