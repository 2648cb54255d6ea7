//! Exact texts of inputs that hosts, guests and people have.

use std::path::Path;

use super::{describe, html, json, markdown, text};
use crate::cpuid::dump::{Key, Reading};
use crate::cpuid::levels::Levels;
use crate::cpuid::table::Table;
use crate::input::{Coverage, Input, read};

fn table() -> Table {
    let text = include_str!("../../../expectations/features.tsv");
    Table::parse("features.tsv", text).expect("the table")
}

fn levels(table: &Table) -> Levels {
    let text = include_str!("../../../expectations/levels.tsv");
    Levels::parse(text, table).expect("the levels")
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness/src/describe/tests");
    std::fs::read_to_string(folder.join(name)).expect("a file of this folder")
}

/// Of lines of `cpuid -r`, and lines `msr INDEX VALUE`; comments behind `#`.
fn input(fixture: &str, table: &Table) -> Input {
    let lines = fixture.lines().filter(|line| !line.starts_with('#'));
    let (msrs, answers): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("msr "));
    let mut inputs = read(answers.join("\n").as_bytes(), table).expect("cpuid -r");
    let mut input = inputs.remove(0);
    for line in msrs {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |digits: &str| u64::from_str_radix(digits, 16).expect("a number");
        let index = u32::try_from(number(words[1])).expect("an index");
        let reading = Reading::Value(number(words[2]));
        input.cpus[0].msrs.insert(index, reading);
    }
    input
}

#[track_caller]
fn shows(name: &str, input: &Input, table: &Table, expected: &str) {
    let shown = text(&[describe(name, input, table, &levels(table))]);
    assert_eq!(shown, expected, "{name}:\n{shown}");
}

#[test]
fn an_intel_host_is_described_with_its_vmx_controls() {
    let table = table();
    let input = input(&file("broadwell.cpuid"), &table);
    shows("broadwell", &input, &table, &file("broadwell.txt"));
}

#[test]
fn a_server_is_described_with_its_tlbs_supervisor_components_and_promises() {
    let table = table();
    let input = input(&file("xeon-6530.cpuid"), &table);
    shows("xeon-6530", &input, &table, &file("xeon-6530.txt"));
}

#[test]
fn a_guest_that_sees_hyperv_has_kvms_own_range_behind_it() {
    let table = table();
    let input = input(&file("hyperv.cpuid"), &table);
    shows("hyperv", &input, &table, &file("hyperv.txt"));
}

#[test]
fn a_guest_of_xen_is_described() {
    let table = table();
    let input = input(&file("xen.cpuid"), &table);
    let shown = text(&[describe("xen", &input, &table, &levels(&table))]);
    let (_, section) = shown.split_once("Hypervisor: ").expect("a section");
    assert_eq!(section, file("xen.txt"), "{shown}");
}

#[test]
fn what_an_excerpt_leaves_out_is_not_known_and_counted() {
    let table = table();
    let mut input = input(&file("excerpt.cpuid"), &table);
    input.coverage = Coverage::Excerpt;
    shows("excerpt", &input, &table, &file("excerpt.txt"));
}

#[test]
fn names_alone_say_which_level_is_reached_at_least() {
    let table = table();
    let levels = levels(&table);
    let mut input = input(&file("excerpt.cpuid"), &table);
    input.coverage = Coverage::Names;
    input.cpus[0].answers.clear();
    let needed = levels.needs("x86-64-v2").into_iter();
    input.cpus[0].present = needed.map(|needed| needed.feature.clone()).collect();
    let shown = text(&[describe("names", &input, &table, &levels)]);
    let level = "  psABI level  at least x86-64-v2; x86-64-v3: not known whether avx avx2 bmi1\n";
    assert!(shown.contains(level), "{shown}");
    assert!(
        shown.contains("  Version      not known from this input\n"),
        "{shown}"
    );
    input.cpus[0].absent.insert("avx2".to_owned());
    let shown = text(&[describe("names", &input, &table, &levels)]);
    assert!(
        shown.contains("  psABI level  x86-64-v2; x86-64-v3 lacks avx2; x86-64-v3: not known"),
        "{shown}"
    );
}

#[test]
fn two_packages_are_drawn_by_the_apic_ids_of_all_processors() {
    let table = table();
    let input = input(&file("packages.cpuid"), &table);
    let shown = text(&[describe("packages", &input, &table, &levels(&table))]);
    let (_, section) = shown.split_once("Topology\n").expect("a section");
    let (section, _) = section.split_once("\nCaches").expect("the next one");
    assert_eq!(section, file("packages.txt"), "{shown}");
}

/// One that has nothing but what these lines of `cpuid -r` say beside its first leaf.
fn shown_of(vendor: &str, lines: &str) -> String {
    let table = table();
    let first = format!("0x00000000 0x00: eax=0x0000000b {vendor}\n");
    let input = input(&(first + lines), &table);
    text(&[describe("it", &input, &table, &levels(&table))])
}

const INTEL: &str = "ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";
const AMD: &str = "ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65";

#[test]
fn ranges_of_other_hypervisors_are_decoded_by_their_signatures() {
    let vmware = "0x40000000 0x00: eax=0x40000010 ebx=0x61774d56 ecx=0x4d566572 edx=0x65726177\n\
                  0x40000010 0x00: eax=0x00231860 ebx=0x000101d0 ecx=0x00000000 edx=0x00000000\n";
    let bhyve = "0x40000000 0x00: eax=0x40000001 ebx=0x76796862 ecx=0x68622065 edx=0x20657679\n\
                 0x40000001 0x00: eax=0x00000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n";
    let unknown = "0x40000000 0x00: eax=0x40000001 ebx=0x41414141 ecx=0x41414141 edx=0x41414141\n";
    for (lines, expected) in [
        (
            vmware,
            "Hypervisor: VMware\n  Signature  \"VMwareVMware\" at 40000000H, last leaf 40000010H\n  TSC        2300000 kHz\n",
        ),
        (bhyve, "  Features (40000001H)\n    ext-dest-id\n"),
        (
            unknown,
            "Hypervisor: unknown\n  Signature  \"AAAAAAAAAAAA\"",
        ),
    ] {
        let shown = shown_of(INTEL, lines);
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn amds_levels_name_complexes_and_dies() {
    let lines = "0x00000001 0x00: eax=0x00a10f11 ebx=0x00100800 ecx=0x00000000 edx=0x10000001\n\
                 0x80000000 0x00: eax=0x80000026 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n\
                 0x80000026 0x00: eax=0x00000001 ebx=0x00000002 ecx=0x00000100 edx=0x00000000\n\
                 0x80000026 0x01: eax=0x00000004 ebx=0x00000010 ecx=0x00000201 edx=0x00000000\n\
                 0x80000026 0x02: eax=0x00000004 ebx=0x00000010 ecx=0x00000302 edx=0x00000000\n\
                 0x80000026 0x03: eax=0x00000007 ebx=0x00000080 ecx=0x00000403 edx=0x00000000\n\
                 0x80000026 0x04: eax=0x00000000 ebx=0x00000000 ecx=0x00000004 edx=0x00000000\n";
    let shown = shown_of(AMD, lines);
    let announced = "  Announced      package of 128 threads, die of 16 threads, complex of 16\n                 \
                     threads, core of 2 threads (leaf 80000026H)\n";
    assert!(shown.contains(announced), "{shown}");
    assert!(
        shown.contains("1 package, 1 die, 1 complex, 1 core, 1 processor\n"),
        "{shown}"
    );
}

#[test]
fn processors_of_two_types_are_counted() {
    let table = table();
    let cpu = |number: u32, kind: &str| {
        format!(
            "CPU {number}:\n0x00000000 0x00: eax=0x0000001a {INTEL}\n\
             0x0000001a 0x00: eax=0x{kind}000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n"
        )
    };
    let hybrid = [cpu(0, "40"), cpu(1, "40"), cpu(2, "20")].concat();
    let input = input(&hybrid, &table);
    let shown = text(&[describe("hybrid", &input, &table, &levels(&table))]);
    assert!(
        shown.contains("  Core types   1 Atom processor, 2 Core processors\n"),
        "{shown}"
    );
}

#[test]
fn json_has_numbers_and_names_of_every_world() {
    let table = table();
    let input = input(&file("broadwell.cpuid"), &table);
    let shown = json(&[describe("a \"name\"", &input, &table, &levels(&table))]).expect("JSON");
    let object: serde_json::Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(object["title"], "a \"name\"");
    assert_eq!(object["identity"]["family"], 6);
    assert_eq!(object["caches"][3]["bytes"], 4 << 20);
    assert_eq!(object["psabi"]["next"]["missing"][0], "avx512f");
    assert_eq!(object["vmx"][1]["rows"][0]["value"], "yes");
    let basic = &object["features"][0]["present"];
    let pni = &basic.as_array().expect("features")[0];
    assert_eq!(pni["name"], "pni");
    assert_eq!(pni["linux"][0], "pni");
}

#[test]
fn text_from_outside_is_no_markup() {
    let table = table();
    let mut input = input(&file("excerpt.cpuid"), &table);
    let fields = &mut input.cpus[0].fields;
    fields.insert("model-id".to_owned(), "<b>|`@x\u{1b}[31m".to_owned());
    input.coverage = Coverage::Excerpt;
    let described = [describe("<i>`\u{202e}", &input, &table, &levels(&table))];
    let page = html(&described);
    assert!(page.contains("<td>&lt;b&gt;|`@x\\u{1b}[31m</td>"), "{page}");
    assert!(
        page.contains("<title>&lt;i&gt;`\\u{202e}</title>"),
        "{page}"
    );
    let marked = markdown(&described);
    assert!(
        marked.contains("| Brand | ``<b>\\u{7c}`@x\\u{1b}[31m`` |"),
        "{marked}"
    );
    assert!(marked.starts_with("## ``<i>`\\u{202e}``\n"), "{marked}");
}

/// Registers that no processor has: all ones, then what a xorshift generator gives.
#[test]
fn no_registers_are_too_strange_to_be_described() {
    const LEAVES: [u32; 24] = [
        0,
        1,
        2,
        4,
        5,
        7,
        0xb,
        0xd,
        0x18,
        0x1a,
        0x1f,
        0x4000_0000,
        0x4000_0001,
        0x4000_0100,
        0x8000_0000,
        0x8000_0001,
        0x8000_0005,
        0x8000_0006,
        0x8000_0008,
        0x8000_000a,
        0x8000_0019,
        0x8000_001d,
        0x8000_001e,
        0x8000_0026,
    ];
    let table = table();
    let levels = levels(&table);
    let mut input = input(&file("packages.cpuid"), &table);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..64 {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if round == 0 { u64::MAX } else { state }
        };
        for cpu in &mut input.cpus {
            for (leaf, subleaf) in LEAVES
                .iter()
                .flat_map(|leaf| (0..6).map(move |sub| (*leaf, sub)))
            {
                let regs = [0; 4].map(|_: u32| u32::try_from(next() >> 32).unwrap_or(u32::MAX));
                cpu.answers.insert(Key::new(leaf, subleaf), regs);
            }
            cpu.msrs
                .extend((0x480..0x494).map(|index| (index, Reading::Value(next()))));
        }
        let described = [describe("strange", &input, &table, &levels)];
        for shown in [text(&described), markdown(&described), html(&described)] {
            assert!(shown.contains("strange"), "{round}");
        }
        assert!(json(&described).is_ok(), "{round}");
    }
}

/// Leaves 0, 1 and 80000001H of x86-64-v1 by this vendor, with SYSCALL as `edx` has it.
fn level_of(vendor: &str, leaf_1_ecx: u32, edx: u32) -> Option<String> {
    let table = table();
    let fixture = format!(
        "CPU:\n0x00000000 0x00: eax=0x00000001 {vendor}\n\
         0x00000001 0x00: eax=0 ebx=0 ecx={leaf_1_ecx:#010x} edx=0x178bfbff\n\
         0x80000000 0x00: eax=0x80000001 ebx=0 ecx=0 edx=0\n\
         0x80000001 0x00: eax=0 ebx=0 ecx=0 edx={edx:#010x}\n"
    );
    let input = input(&fixture, &table);
    describe("", &input, &table, &levels(&table)).psabi.level
}

#[test]
fn syscall_that_intel_hides_from_32_bit_programs_is_there() {
    const INTEL: &str = "ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";
    const AMD: &str = "ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65";
    const LM: u32 = 1 << 29;
    const SYSCALL: u32 = 1 << 11;
    let v1 = Some("x86-64-v1".to_owned());
    assert_eq!(level_of(INTEL, 0, LM | SYSCALL), v1);
    assert_eq!(level_of(INTEL, 0, LM), v1);
    assert_eq!(level_of(INTEL, 1 << 31, LM), None);
    assert_eq!(level_of(INTEL, 0, 0), None);
    assert_eq!(level_of(AMD, 0, LM), None);
}

#[test]
fn an_excerpt_with_one_subleaf_of_8000001dh_has_its_caches_from_80000005h_and_80000006h() {
    let table = table();
    let fixture = "CPU 0:\n\
         0x00000000 0x00: eax=0x0000000d ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65\n\
         ...\n\
         0x80000005 0x00: eax=0xff40ff40 ebx=0xff40ff40 ecx=0x20080140 edx=0x40040140\n\
         0x80000006 0x00: eax=0x36006400 ebx=0x56006400 ecx=0x02006140 edx=0x00808140\n\
         0x8000001d 0x00: eax=0x00004121 ebx=0x01c0003f ecx=0x0000003f edx=0x00000000\n";
    let input = input(fixture, &table);
    let caches = describe("", &input, &table, &levels(&table)).caches;
    let caches = caches.expect("caches").into_iter();
    let sizes: Vec<(String, u64)> = caches
        .map(|cache| (cache.name, cache.bytes >> 10))
        .collect();
    let expected = [("L1d", 32), ("L1i", 64), ("L2", 512), ("L3", 16384)];
    assert_eq!(sizes, expected.map(|(name, size)| (name.to_owned(), size)));
}
