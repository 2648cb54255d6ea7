//! What stands around dumps in mails, terminals and bug reports.

use super::support::{all, cpu, file, keys, only, refused, titles};
use crate::input::Coverage;

const VENDOR: &str = "eax=0x0000000d ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";
const FEATURES: &str = "eax=0x000806ea ebx=0x00000800 ecx=0xfffab223 edx=0x0f8bfbff";

/// `change` of every line makes no difference.
fn reads_alike(change: impl Fn(&str) -> String) {
    let plain = file!("rebase-before.cpuid-r.txt");
    let changed: String = plain.lines().map(change).collect();
    assert_eq!(cpu(&changed), cpu(plain), "{changed}");
}

#[test]
fn quotes_line_ends_tabs_and_colours_make_no_difference() {
    reads_alike(|line| format!("{line}\r\n"));
    reads_alike(|line| format!("> {line}\n"));
    reads_alike(|line| format!(">> > {line}\n"));
    reads_alike(|line| format!("\t{}  \n", line.replace(' ', "\t")));
    reads_alike(|line| format!("\x1b[0;32m{}\x1b[0m\n", line.replace("eax", "\x1b[1meax")));
    reads_alike(|line| format!("{}\n", line.to_uppercase()));
    reads_alike(|line| format!("{line}\n\n"));
}

#[test]
fn marks_of_editors_make_no_difference() {
    let plain = file!("rebase-before.cpuid-r.txt");
    assert_eq!(cpu(format!("\u{feff}{plain}")), cpu(plain));
    let utf16 = plain.encode_utf16().flat_map(u16::to_le_bytes);
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16).collect();
    assert_eq!(cpu(utf16), cpu(plain));
}

#[test]
fn lines_that_a_mailer_broke_are_joined() {
    reads_alike(|line| format!("{}\n", line.replace(" ecx", "\n> ecx")));
    reads_alike(|line| format!("{}\n", line.replace("edx=", "edx=\n")));
    reads_alike(|line| {
        format!(
            "{}\n",
            line.replace(" ebx", "\nebx").replace(" edx", "\nedx")
        )
    });
    // A terminal breaks anywhere.
    reads_alike(|line| match line.len() {
        0..60 => format!("{line}\n"),
        _ => format!("{}\n{}\n", &line[..60], &line[60..]),
    });
    for width in 61..80 {
        reads_alike(|line| match line.split_at_checked(width) {
            Some((first, rest)) => format!("{first}\n{rest}\n"),
            None => format!("{line}\n"),
        });
    }
    let plain = file!("hygon.instlatx64.txt");
    assert_eq!(cpu(plain.replace(" [SL", "\n[SL")), cpu(plain));
}

#[test]
fn prose_around_a_dump_is_passed_over() {
    let input = only(format!(
        "Hi,\nmy guest (Linux 6.1, see http://x/y) panics.\n\n```\n0x00000000 0x00: {VENDOR}\n```\n\nIt has 0x40000000 too.\n-- \nMe\n"
    ));
    assert_eq!(
        (input.title.clone(), input.coverage),
        (None, Coverage::Excerpt)
    );
}

#[test]
fn a_word_below_a_dump_is_no_digits_of_it() {
    let cpu = cpu("0x00000000 0x00: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\nbad\nadded\n");
    assert_eq!(cpu.answers.values().next(), Some(&[1, 2, 3, 4]));
}

#[test]
fn a_sentence_that_names_a_leaf_is_no_part_of_the_next_line() {
    let cpu = cpu("Of the guest's leaf 7\nis wrong:\nCPUID 0x7: eax=0x1 ebx=0x2 ecx=0x3 edx=0x4\n");
    assert_eq!(keys(&cpu), [(7, 0)]);
}

#[test]
fn a_prompt_names_the_host() {
    let inputs = all(format!(
        "me@host:~$ cpuid -1 -r\nCPU:\n   0x00000000 0x00: {VENDOR}\nme@host:~$ ssh guest\n\
         [root@guest ~]# cpuid -1 -r\nCPU:\n   0x00000000 0x00: {VENDOR}\n[root@guest ~]# exit\n"
    ));
    assert_eq!(titles(&inputs), [Some("host"), Some("guest")]);
}

#[test]
fn commands_on_one_host_show_one_dump() {
    let cpu = cpu(format!(
        "$ cpuid -1 -l 0 -r\nCPU:\n 0x00000000 0x00: {VENDOR}\n$ cpuid -1 -l 1 -r\nCPU:\n 0x00000001 0x00: {FEATURES}\n"
    ));
    assert_eq!(keys(&cpu), [(0, 0), (1, 0)]);
}

#[test]
fn headings_in_a_mail_are_titles() {
    let inputs = all(format!(
        "This fails.\n\nOn the host:\n> CPU 0:\n>    0x00000000 0x00: {VENDOR}\n\nand in the guest:\n> CPU 0:\n>    0x00000000 0x00: {VENDOR}\nThanks\n"
    ));
    assert_eq!(
        titles(&inputs),
        [Some("On the host"), Some("and in the guest")]
    );
}

#[test]
fn dumps_right_behind_one_another_are_two() {
    let dump = format!("CPU 0:\n0x00000000 0x00: {VENDOR}\nCPU 1:\n0x00000000 0x00: {VENDOR}\n");
    let inputs = all(dump.repeat(2));
    let cpus: Vec<usize> = inputs.iter().map(|input| input.cpus.len()).collect();
    assert_eq!(cpus, [2, 2]);
    let bare = format!("0x00000000 0x00: {VENDOR}\n0x00000001 0x00: {FEATURES}\n");
    assert_eq!(all(bare.repeat(3)).len(), 3);
}

#[test]
fn a_mark_that_lines_are_left_out_makes_an_excerpt() {
    let whole = file!("rebase-before.cpuid-r.txt");
    assert_eq!(only(whole).coverage, Coverage::Whole);
    for mark in ["[...]", "...", "[snip]", "(…)"] {
        let marked = whole.replacen("   0x00000003", &format!("{mark}\n   0x00000003"), 1);
        assert_eq!(only(&marked).coverage, Coverage::Excerpt, "{mark}");
    }
}

#[test]
fn what_cpuid_decodes_may_stand_before_its_registers() {
    let input = only(format!(
        "$ cpuid\nCPU 0:\n   vendor_id = \"GenuineIntel\"\n   version information (1/eax):\n\
         $ cpuid -r\nCPU 0:\n   0x00000000 0x00: {VENDOR}\n"
    ));
    assert_eq!(input.cpus.len(), 1);
}

#[test]
fn two_formats_in_one_file_are_refused() {
    assert_eq!(
        refused(format!(
            "0x00000000 0x00: {VENDOR}\nCPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n"
        )),
        "it could be cpuid -r or InstLatx64 or AIDA64: keep one of them"
    );
}
