//! Damaged files: the message names line and column of the file.

use super::support::refused;

const VENDOR: &str = "eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";

#[test]
fn a_line_inside_a_dump_that_means_nothing_is_an_error() {
    assert_eq!(
        refused(format!(
            "CPU 0:\n   0x00000000 0x00: {VENDOR}\n   Segmentation fault\n   0x00000001 0x00: {VENDOR}\n"
        )),
        "line 3, column 4: expected CPU N: or 0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…, found Segmentation fault (read as cpuid -r)"
    );
}

#[test]
fn a_line_between_a_heading_and_its_first_leaf_is_an_error() {
    assert_eq!(
        refused(format!(
            "CPU 0:\ncpuid: not found\n0x00000000 0x00: {VENDOR}\n"
        )),
        "line 2, column 1: expected CPU N: or 0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…, found cpuid: not found (read as cpuid -r)"
    );
}

#[test]
fn the_column_is_that_of_the_file() {
    let lines = |damaged: &str| {
        format!(
            "Hi\r\n\r\n> \x1b[1mCPU 0:\x1b[0m\r\n> > 0x00000000 0x00: {VENDOR}\r\n{damaged}\r\n"
        )
    };
    for (damaged, at, expected, found) in [
        (
            "> > 0x00000001 0x00: eax=0x0 ebx=0xzz ecx=0x0 edx=0x0",
            36,
            "one to eight hexadecimal digits",
            "zz ecx=0x0 edx=0x0",
        ),
        (
            "> > 0x00000001 0x00: eax=0x000000001 ebx=0",
            26,
            "one to eight hexadecimal digits",
            "0x000000001 ebx=0",
        ),
        (
            "> > 0x00000001 0x00: eax=0x1 ecx=0x0",
            30,
            "ebx=",
            "ecx=0x0",
        ),
        (
            "> > 0x00000001 0x00: eax=0x1 \x1b[31mecx=0x0",
            35,
            "ebx=",
            "ecx=0x0",
        ),
        (
            "> > 0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3",
            45,
            "edx=",
            "the end of the line",
        ),
        (
            "> > 0x00000001 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4 and so on",
            54,
            "the end of the line",
            "and so on",
        ),
    ] {
        let message =
            format!("line 5, column {at}: expected {expected}, found {found} (read as cpuid -r)");
        assert_eq!(refused(lines(damaged)), message);
    }
}

#[test]
fn a_broken_line_is_named_where_it_is_damaged() {
    assert_eq!(
        refused(format!(
            "0x00000000 0x00: {VENDOR}\n0x00000001 0x00: eax=0x1 ebx=0x2\n  ecx=0x3 edx=oops\n"
        )),
        "line 3, column 15: expected one to eight hexadecimal digits, found oops (read as cpuid -r)"
    );
}

#[test]
fn damaged_lines_of_every_format_are_named() {
    for (text, message) in [
        (
            "CPUID 00000000: 0000000D-756E6547-6C65746E-49656E69\nCPUID 00000001: 000806EA-00000800-FFFAB223\n",
            "line 2, column 43: expected -, found the end of the line (read as InstLatx64 or AIDA64)",
        ),
        (
            "CPUID 00000000: 0000000D-756E6547-6C65746E-49656E69\nMSR 0000001B: 0000-0000-FEE0\n",
            "line 2, column 29: expected -, found the end of the line (read as InstLatx64 or AIDA64)",
        ),
        (
            "CPUID 00000000:00 = 0000000d 756e6547 6c65746e 49656e69 | x\nCPUID 00000001:00 = 1 2 3\n",
            "line 2, column 26: expected one to eight hexadecimal digits, found the end of the line (read as cpuid -d of tycho's cpuid)",
        ),
        (
            "0x00000000: EAX=0x1, EBX=0x2, ECX=0x3, EDX=0x4\n  1: EAX=0x1, EBX=0x2, ECX=0x3, EDX=0x4\n",
            "line 2, column 3: expected 0xLEAF: subleafs: before a line of a subleaf, found 1: EAX=0x1, EBX=0x2, ECX=0x3, EDX=0x4 (read as kcpuid -r)",
        ),
        (
            "basic_cpuid[0]=00000001 68747541 444d4163 69746e65\nbasic_cpuid[x]=1 2 3 4\n",
            "line 2, column 13: expected a number, found x]=1 2 3 4 (read as a raw dump of libcpuid)",
        ),
        (
            "eax in: 0x0, eax = 1 ebx = 2 ecx = 3 edx = 4\neax in: 0x1, eax = 1 ebx = ? ecx = 3 edx = 4\n",
            "line 2, column 28: expected one to eight hexadecimal digits, found ? ecx = 3 edx = 4 (read as x86info -r)",
        ),
        (
            "00000000:ffffffff -> 0000000d:756e6547:6c65746e:49656e69\n00000001:ffffffff -> 000306c3:00100800\n",
            "line 2, column 39: expected :, found the end of the line (read as xen-cpuid)",
        ),
        (
            "CPUID 0x0: eax=1 ebx=2 ecx=3 edx=4\nCPUID 0x1: eax=1 ebx=2 ecx=3\n",
            "line 2, column 29: expected eax, ebx, ecx and edx, found the end of the line (read as lines with registers)",
        ),
    ] {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn decoded_text_is_refused_with_what_prints_registers() {
    assert_eq!(
        refused(
            "CPU 0:\n   vendor_id = \"GenuineIntel\"\n   version information (1/eax):\n      processor type  = primary processor (0)\n"
        ),
        "this is decoded text of cpuid, which does not carry every bit: `cpuid -r` prints the registers"
    );
    assert_eq!(
        refused(format!(
            "CPU:\n   vendor_id = \"GenuineIntel\"\n   version information (1/eax):\n   0x00000003 0x00: {VENDOR}\n   \
             feature information (1/edx):\n   0x00000008 0x00: {VENDOR}\n"
        )),
        "this is decoded text of cpuid, which does not carry every bit: `cpuid -r` prints the registers"
    );
    assert_eq!(
        refused("CPU features:\n=============\n\n\tsse3\n"),
        "this is decoded text of kcpuid, which does not carry every bit: `kcpuid -r` prints the registers"
    );
}

#[test]
fn what_is_no_text_is_refused() {
    assert_eq!(
        refused(b"\x7fELF\x02\x01\x01\0"),
        "byte 4 is none of a text in UTF-8 or Latin-1"
    );
    assert_eq!(
        refused(b"CPU 0:\0"),
        "byte 6 is none of a text in UTF-8 or Latin-1"
    );
    assert_eq!(refused(b"\r\n \n"), "there is nothing in it");
}

#[test]
fn a_dump_without_any_leaf_is_unknown() {
    assert!(
        refused("CPU 0:\nCPU 1:\n").starts_with("no format that is known begins like this: CPU 0:")
    );
}
