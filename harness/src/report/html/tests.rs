use super::*;
use crate::report::shown::Shown;
use crate::results::Row;
use crate::results::fixture::{head, lost, row};
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
    assert!(page.contains("<b>FAIL</b> avx2 lost at CPUID.07H.00H:EBX[4] (layer qemu)"));
    assert!(page.contains("<title>cpuid-fidelity: 1 of 1 cases are not as expected</title>"));
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

#[test]
fn ten_thousand_cases_stay_under_five_megabytes() {
    let words: Vec<String> = (0..40).map(|word| format!("-argument-{word}")).collect();
    let many = (0..10_000).map(|number| {
        let (machine, model) = (number / 125, number % 125);
        let case = format!("definition/qemu-11.1/pc-q35-{machine}.0/Model{model}-v1");
        let mut row = if number % 7 == 0 {
            lost(&case, &["avx2", "avx512f"])
        } else {
            row(&case, Status::Pass)
        };
        row.command = words
            .iter()
            .cloned()
            .chain([row.machine.clone(), row.cpu.clone()])
            .collect();
        row
    });
    let page = page(many.collect());
    assert!(page.len() < 5_000_000, "{}", page.len());
}
