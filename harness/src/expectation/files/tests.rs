use tempfile::TempDir;

use super::*;

const HEADER: &str = "---\nsource: x\n---\n";
const WHOLE: &str = "cpuid 0x00000003.00             zero\n\
                     cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32\n";

fn folder(files: &[(&str, &str)]) -> (TempDir, Files) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, format!("{HEADER}{content}")).expect("a file");
    }
    let files = Files::new(folder.path());
    (folder, files)
}

fn refused(files: &[(&str, &str)], path: &str) -> String {
    let (folder, files) = folder(files);
    let error = files.expectation(Path::new(path)).expect_err("an error");
    error
        .to_string()
        .replace(&format!("{}", folder.path().display()), "F")
}

#[test]
fn the_content_stands_behind_the_header() {
    let text = "---\nsource: x\nexpression: y\n---\nfirst\nsecond\n";
    assert_eq!(
        snapshot::content(text).as_deref(),
        Some("\n\n\n\nfirst\nsecond")
    );
    assert_eq!(snapshot::content("first\n"), None, "no header");
}

#[test]
fn a_based_file_is_read_as_all_its_lines() {
    let (_folder, files) = folder(&[
        ("a/one.snap", WHOLE),
        (
            "b/two.snap",
            "base = a/one.snap\n\
             -cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 32\n\
             +cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36\n",
        ),
        ("c/three.snap", "base = b/two.snap\n"),
    ]);
    let all = "cpuid 0x00000003.00             zero\n\
               cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36";
    for path in ["b/two.snap", "c/three.snap"] {
        let read = files.expectation(Path::new(path)).expect("a file");
        assert_eq!(read, Expected::Text(all.to_owned()), "{path}");
    }
    let known: Vec<String> = files.known().iter().cloned().collect();
    assert_eq!(known, ["a/one.snap", "b/two.snap", "c/three.snap"]);
}

#[test]
fn a_base_that_is_not_there_is_told_by_file_and_line() {
    for base in ["a/none.snap", "../a/one.snap", "/etc/passwd"] {
        let text = format!("base = {base}\n");
        let error = refused(&[("b/two.snap", &text)], "b/two.snap");
        assert_eq!(
            error,
            format!("F/b/two.snap: line 4: there is no base {base} below F")
        );
    }
}

#[test]
fn a_circle_of_bases_is_told_with_all_its_files() {
    let error = refused(
        &[
            ("a.snap", "base = b.snap\n"),
            ("b.snap", "base = c.snap\n"),
            ("c.snap", "base = a.snap\n"),
        ],
        "a.snap",
    );
    let chain = "a.snap → b.snap → c.snap → a.snap";
    assert_eq!(
        error,
        format!("F/c.snap: bases go round in a circle: {chain}")
    );
}

#[test]
fn a_line_that_is_wrong_is_told_by_the_line_of_its_file() {
    for (line, problem) in [
        (
            "-cpuid 0x00000004.00             zero",
            "the base has no such line to take away",
        ),
        (
            "+cpuid 0x00000003.00             zero",
            "the base has this line already",
        ),
        (
            "cpuid 0x00000004.00             zero",
            "a line below “base = …” starts with - or +",
        ),
        ("+phys-bits went up", "not an expectation line"),
        (
            "+cpuid 0x80000008.00 eax[ 7: 0]  phys-bits = 36",
            "another line has the same place; take it away with -",
        ),
    ] {
        let text = format!("base = a.snap\n{line}\n");
        let files = [
            ("a.snap", WHOLE),
            ("b.snap", &*text),
            ("c.snap", "base = b.snap\n"),
        ];
        for path in ["b.snap", "c.snap"] {
            assert_eq!(
                refused(&files, path),
                format!("F/b.snap: line 5: {problem}: {line}")
            );
        }
    }
}

#[test]
fn a_release_without_files_is_new() {
    let (_folder, files) = folder(&[("qemu-5.2/models/A-v1.snap", WHOLE)]);
    let expected = |path: &str| files.expectation(Path::new(path)).expect("no error");
    assert_eq!(expected("qemu-5.2/models/B-v1.snap"), Expected::Missing);
    assert_eq!(expected("qemu-7.2/models/A-v1.snap"), Expected::NewRelease);
}

#[test]
fn a_release_that_is_hidden_is_in_no_file() {
    for (path, hidden) in [
        ("qemu-10.0/models/EPYC-v4.snap", true),
        ("qemu-11.1/models/EPYC-v4.snap", true),
        ("qemu-7.2/models/EPYC-v4.snap", false),
        ("releases/7.2..10.0.snap", true),
        ("releases/10.0.2..10.0.x.snap", true),
        ("releases/5.2..7.2+smp=8,sockets=2.snap", false),
        ("migration/qemu-11.1..qemu-5.2/tcg/pc-q35-5.2.snap", true),
        ("libvirt-9.0/qemu-10.0/names.snap", true),
        ("linux-6.12/EPYC-v4.snap", false),
    ] {
        assert_eq!(is_about(path, "10.0"), hidden, "{path}");
    }
}
