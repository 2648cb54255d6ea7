use super::*;

const AVX2: &str = "cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tpublic\tlinux:avx2\n";

fn error(text: &str) -> String {
    Table::parse("features.tsv", text)
        .expect_err("a bad table")
        .to_string()
}

#[test]
fn a_row_is_found_by_place_and_by_name() {
    let table = Table::parse("features.tsv", AVX2).expect("a good table");
    let found = table.register(Space::Cpuid, 7, 0, 1).next();
    assert_eq!(found, table.named("avx2"));
    assert!(table.register(Space::Cpuid, 7, 1, 1).next().is_none());
}

#[test]
fn a_repeated_name_is_refused_with_line_and_column() {
    let again = AVX2.replace("ebx\t5", "ebx\t6");
    assert_eq!(
        error(&format!("# head\n{AVX2}{again}")),
        "features.tsv:3:27: the name avx2 is used twice"
    );
}

#[test]
fn an_overlap_is_refused() {
    let again = AVX2.replace("00\tebx\t5\tavx2\tflag", "*\tebx\t7:5\twide\tdec");
    assert_eq!(
        error(&format!("{AVX2}{again}")),
        "features.tsv:2:24: wide overlaps avx2"
    );
}

#[test]
fn a_cell_that_cannot_be_read_is_named() {
    assert_eq!(
        error(&AVX2.replace("\t5\t", "\t32\t")),
        "features.tsv:1:25: bits is “32”, wanted a bit or high:low"
    );
}

#[test]
fn a_missing_column_is_counted() {
    assert_eq!(
        error("cpuid\t0x00000007\n"),
        "features.tsv:1:1: 2 columns where 10 are due"
    );
}
