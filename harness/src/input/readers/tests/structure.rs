//! What stands around XML and JSON in mails and files, and what is neither.

use super::support::{file, only, refused};

/// Every change of line ends, marks and quotes makes no difference.
fn reads_alike(text: &str) {
    let plain = only(text);
    assert_eq!(only(text.replace('\n', "\r\n")), plain);
    assert_eq!(only(format!("\u{feff}{text}")), plain);
    assert_eq!(only(format!("\n\n{text}\n\n")), plain);
    let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
    assert_eq!(only(quoted), plain);
    let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes);
    assert_eq!(
        only([0xff, 0xfe].into_iter().chain(utf16).collect::<Vec<u8>>()),
        plain
    );
}

#[test]
fn line_ends_marks_and_quotes_make_no_difference() {
    for text in [
        file!("epyc-9334.cpudata.xml"),
        file!("haswell.capabilities.xml"),
        file!("numa.domain.xml"),
        file!("epyc-9334.expansion.json"),
        file!("t2.firecracker.json"),
        file!("haswell.cpuinfo.txt"),
        file!("haswell.lscpu.txt"),
    ] {
        reads_alike(text);
    }
}

#[test]
fn a_place_is_that_of_the_file() {
    let quoted = "> > <cpudata arch='x86'>\r\n> >   <leaf/>\r\n> > </cpudata>\r\n";
    assert_eq!(
        refused(quoted),
        "line 2, column 7: expected <cpuid> or <msr>, found <leaf> (read as libvirt's <cpudata>)"
    );
    let text = "> {\"return\": {\n>   \"model\": 0 0}}";
    assert_eq!(
        refused(text),
        "line 2, column 16: expected `,` or `}` (read as answers of QMP)"
    );
}

#[test]
fn what_is_none_of_the_formats_is_refused() {
    for text in ["<network/>", "{\"a\": 1}", "[]", "<cpuTest/>"] {
        let error = refused(text);
        let begins = format!("no format that is known begins like this: {text} (known are ");
        assert!(error.starts_with(&begins), "{error}");
    }
    assert_eq!(
        refused(b"<cpudata arch='x86'>\0</cpudata>"),
        "byte 20 is none of a text in UTF-8 or Latin-1"
    );
}
