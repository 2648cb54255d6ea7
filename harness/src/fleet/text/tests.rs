use super::lines::{cut, escaped, wrapped};
use super::*;
use crate::fleet::page::{
    Page, PageAnswer, PageBasis, PageBlocked, PageBlocker, PageChoice, PageClass, PageHosts,
    PagePool, PageRemedy,
};

#[test]
fn a_line_is_broken_between_words_and_an_argument_is_not() {
    let long = format!("  a: {}", ["feature"; 20].join(" "));
    let broken = wrapped(&long);
    assert!(broken.lines().all(|line| line.len() <= 100), "{broken}");
    assert_eq!(
        broken
            .lines()
            .nth(1)
            .map(|line| line.starts_with("      feature")),
        Some(true)
    );
    let argument = format!("-cpu EPYC,{}", ["+avx2"; 40].join(","));
    assert_eq!(wrapped(&argument), format!("{argument}\n"));
}

#[test]
fn a_line_of_a_screen_is_cut_between_words() {
    let long = format!("  a: {}", ["feature"; 20].join(" "));
    let short = cut(&long);
    assert!(
        short.ends_with(" feature …") && short.chars().count() <= 100,
        "{short}"
    );
    assert_eq!(cut("  a: b"), "  a: b");
    let one = format!("  {}", "é".repeat(200));
    assert_eq!(cut(&one).chars().count(), 100);
}

#[test]
fn a_name_makes_no_markup() {
    assert_eq!(escaped("<b>*a*</b>"), "\\<b\\>\\*a\\*\\</b\\>");
    assert_eq!(escaped("a\u{1b}[31m"), "a\\\\u\\{1b\\}\\[31m");
}

fn names(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

fn on(label: &str, hosts: usize) -> PageHosts {
    PageHosts {
        label: label.to_owned(),
        hosts,
    }
}

fn choice(cpu: &str, level: &str, features: &str) -> PageChoice {
    let parts: Vec<&str> = cpu.split(',').collect();
    let flags = |sign| {
        let own = parts.iter().filter_map(move |part| part.strip_prefix(sign));
        own.map(str::to_owned).collect()
    };
    PageChoice {
        cpu: cpu.to_owned(),
        model: parts[0].to_owned(),
        plus: flags('+'),
        minus: flags('-'),
        level: level.to_owned(),
        features: names(features),
        ..PageChoice::default()
    }
}

fn class(host: &str, unused: &str, unknown: &str) -> PageClass {
    PageClass {
        hosts: names(host),
        brand: "AMD EPYC 7601".to_owned(),
        basis: "KVM's word".to_owned(),
        unused: names(unused),
        unknown: unknown
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        ..PageClass::default()
    }
}

fn page() -> Page {
    let best = choice("EPYC-v1,+clwb,-avx2", "x86-64-v2", "aes clwb");
    let answer = PageAnswer {
        plain: Some(choice("Opteron_G4-v1", "x86-64-v2", "aes")),
        alternatives: vec![choice("EPYC-Rome-v1,-avx2", "x86-64-v2", "aes")],
        best,
        ..PageAnswer::default()
    };
    let blocker = |features, lacking, unknown| PageBlocker {
        features: names(features),
        lacking,
        unknown,
    };
    let by = vec![
        blocker("a b c d e", on("hv1 and 2 more", 3), on("", 0)),
        blocker("avx2", on("hv2", 1), on("", 0)),
        blocker("pku", on("", 0), on("hv1, hv3", 2)),
        blocker("vaes", on("", 0), on("", 0)),
    ];
    let pool = |hosts, gains: &str| PagePool {
        hosts: names(hosts),
        cpu: "EPYC-v1,+clwb".to_owned(),
        level: "x86-64-v3".to_owned(),
        gains: gains
            .split(' ')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        ..PagePool::default()
    };
    Page {
        release: "11.1".to_owned(),
        machine: "pc-q35-11.1".to_owned(),
        answer: Some(answer),
        rests_on: vec![PageBasis {
            basis: "KVM's word".to_owned(),
            hosts: 3,
            predicted: false,
        }],
        blocked: vec![PageBlocked {
            model: "EPYC-v2".to_owned(),
            by,
        }],
        remedies: vec![PageRemedy {
            remedy: "without hv2".to_owned(),
            gains: names("avx2 a b c d e"),
            cpu: "EPYC-v2".to_owned(),
            level: "x86-64-v3".to_owned(),
        }],
        pools: vec![vec![pool("hv1 hv3", "avx2"), pool("hv2", "")]],
        classes: vec![class("hv1 hv3", "pku", "x y"), class("hv2", "a b", "")],
        ..Page::default()
    }
}

#[test]
fn a_screen_has_the_answer_its_forms_and_its_blockers_in_a_line_each() {
    let wanted = "\
3 hosts in 2 classes, QEMU 11.1, pc-q35-11.1
-cpu EPYC-v1,+clwb,-avx2
  a guest gains x86-64-v2, 2 features; every host gives every one of them
  rests on KVM's word of 3 hosts
  or Opteron_G4-v1 without a flag (x86-64-v2), EPYC-Rome-v1 (x86-64-v2, 1 flag)
  --format cpu|libvirt|proxmox|nova|kubevirt|traits prints it as they take it; -v prints all

why not more
  EPYC-v2: a b and 3 more (on no host), avx2 (not on hv2), pku (unknown on 2 hosts), vaes (not in …

what would give more
  without hv2: +avx2 a b c and 2 more → EPYC-v2, x86-64-v3

pools, in each of which guests move
  1 of 2: EPYC-v1, x86-64-v3, 1 feature more: hv1 hv3
  2 of 2: EPYC-v1, x86-64-v3: hv2

hosts
  hv1 hv3: AMD EPYC 7601; KVM's word; 1 unused, 2 unknown
  hv2: AMD EPYC 7601; KVM's word; 2 unused
";
    assert_eq!(text(&page(), Extent::Screen), wanted);
}

#[test]
fn all_of_it_has_every_host_and_every_bit() {
    let wanted = "\
3 hosts in 2 classes, QEMU 11.1, pc-q35-11.1
-cpu EPYC-v1,+clwb,-avx2
  a guest gains x86-64-v2, 2 features; every host gives every one of them
  rests on KVM's word of 3 hosts

alternatives
  Opteron_G4-v1: x86-64-v2, 0 flags; lacks clwb
  EPYC-Rome-v1: x86-64-v2, 1 flag; lacks clwb

why not more
  EPYC-v2: a b c d e (not on hv1 and 2 more), avx2 (not on hv2), pku (unknown on hv1, hv3), vaes
      (XSAVE differs, or what it needs is not common)

what would give more
  without hv2: +avx2 a b c d e → EPYC-v2, x86-64-v3

pools, in each of which guests move
  2 pools
    hv1 hv3: EPYC-v1, x86-64-v3, +avx2
    hv2: EPYC-v1, x86-64-v3

hosts
  hv1 hv3: AMD EPYC 7601; KVM's word; 1 feature that no guest gets; 2 features unknown
  hv2: AMD EPYC 7601; KVM's word; 2 features that no guest gets
";
    assert_eq!(text(&page(), Extent::All), wanted);
}
