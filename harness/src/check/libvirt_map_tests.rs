use super::*;
use crate::cpuid::parse;

const TABLE: &str = "cpuid\t0x00000001\t-\tecx\t0\tsse3\tflag\t5.2\tmeasured\tqemu:pni\n\
                     cpuid\t0x00000007\t00\tebx\t5\tavx2\tflag\t5.2\tmeasured\t-\n\
                     cpuid\t0x00000007\t00\tebx\t12\tcqm\tflag\t-\t-\t-\n\
                     cpuid\t0x00000007\t00\tecx\t3\tpku\tflag\t5.2\tmeasured\t-\n\
                     cpuid\t0x0000000d\t01\teax\t1\txsavec\tflag\t10.0\tmeasured\t-\n\
                     msr\t0x0000010a\t-\t-\t0\trdctl-no\tflag\t5.2\tpublic\t-\n";

fn map(features: &str, models: &str) -> CpuMap {
    let index = format!("<cpus><arch name='x86'>{features}{models}</arch></cpus>");
    CpuMap::parse(&[("index.xml".to_owned(), index)].into()).expect("a map")
}

fn feature(name: &str, bits: &str) -> String {
    format!("<feature name='{name}'><cpuid {bits}/></feature>")
}

fn table() -> Table {
    Table::parse("features.tsv", TABLE).expect("a table")
}

#[test]
fn names_that_differ_are_told_and_equal_ones_are_not() {
    let features = feature("pni", "eax_in='0x01' ecx='0x1'")
        + &feature("avx_2", "eax_in='0x07' ebx='0x20'")
        + &feature("cmt", "eax_in='0x07' ebx='0x1000'")
        + &feature("pku", "eax_in='0x07' ecx='0x10'");
    let lines = names(&map(&features, ""), &table(), (7, 2));
    assert_eq!(
        lines,
        [
            "cpuid 0x00000007.00 ebx[ 5]     libvirt avx_2, QEMU avx2",
            "cpuid 0x00000007.00 ebx[12]     libvirt cmt, QEMU has no name",
            "cpuid 0x00000007.00 ecx[ 3]     QEMU pku, libvirt has no name",
            "cpuid 0x00000007.00 ecx[ 4]     libvirt pku, QEMU's pku is CPUID.07H.00H:ECX[3]",
            "msr   0x0000010a        [ 0]    QEMU rdctl-no, libvirt has no name",
        ]
    );
    let newer = names(&map(&features, ""), &table(), (10, 0));
    assert!(newer[4].ends_with("QEMU xsavec, libvirt has no name"));
}

#[test]
fn models_are_held_both_ways() {
    let features = feature("pni", "eax_in='0x01' ecx='0x1'")
        + &feature("avx2", "eax_in='0x07' ebx='0x20'")
        + "<feature name='rdctl-no'><msr index='0x10a' eax='0x1'/></feature>";
    let model = |name: &str| {
        format!("<model name='{name}'><feature name='avx2'/><feature name='rdctl-no'/></model>")
    };
    let map = map(&features, &(model("A") + &model("B") + &model("C")));
    let lines = |text: &str| parse::lines(text).expect("lines");
    let avx2 = "cpuid 0x00000007.00 ebx[ 5]     avx2";
    let sse3 = "cpuid 0x00000001.00 ecx[ 0]     sse3";
    let definitions = [
        ("A".to_owned(), lines(avx2)),
        ("B".to_owned(), lines(sse3)),
        ("D".to_owned(), Vec::new()),
    ];
    assert_eq!(
        models(&map, &table(), &definitions.into()),
        [
            "cpuid 0x00000001.00 ecx[ 0]     +sse3 | B",
            "cpuid 0x00000007.00 ebx[ 5]     -avx2 | B",
            "model C                         QEMU has no such model",
            "model D                         libvirt has no such model",
        ]
    );
}
