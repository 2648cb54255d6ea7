//! The map of holes and lies: what probes do otherwise than the manual has it, by who runs the guest, out of the table of facts.

use crate::check::behaviour::{Fact, Facts, Ground, Recorded, When};
use crate::cpuid::probes::named;

/// Families in the words of a heading, and what is to be said of them beside.
const FAMILIES: [(&str, &str, &str); 3] = [
    ("tcg", "QEMU's TCG", ""),
    ("kvm-amd", "KVM on an emulated AMD host", ABOUT_AMD),
    ("kvm-intel", "KVM on an emulated Intel host", ABOUT_INTEL),
];

const ABOUT_AMD: &str = "
The host is QEMU's TCG with SVM: `max` has all that TCG has, `rome` and `milan` are QEMU's models
without what TCG lacks. SVM has no intercept for most instructions, so little but what needs a bit
of CR4, XCR0 or EFER is closed. RDPMC reads a counter up to 6.1; later kernels give guests no more
counters than the host has, and this one has none (arch/x86/kvm/svm/pmu.c, `amd_pmu_refresh`).
";

const ABOUT_INTEL: &str = "
The host is Bochs with VMX. It has more to close with: by VM-execution controls KVM refuses RDTSCP,
RDRAND, RDSEED, INVPCID and XSAVES where they are hidden, and RDPID where RDTSCP is hidden as well
(arch/x86/kvm/vmx/vmx.c, `vmx_adjust_secondary_exec_control`). FSGSBASE, PKE, SMEP, SMAP, UMIP and
AVX-512 stay closed by CR4 and XCR0. Bits of IA32_SPEC_CTRL share one MSR: a guest that is shown one
of them may set all that the host's processor takes (arch/x86/kvm/x86.c,
`kvm_spec_ctrl_test_value`). Bochs itself hides a few features that its Arrow Lake has (VPDPBSSD,
VPDPWSUD, VCVTNEPS2BF16). `page-pku` is [its fault](findings/bochs-pku-of-supervisors.md). Between
these kernels nothing changes.
";

const INTRO: &str = "# Behaviour: holes and lies

CPUID is a promise about instructions. This page lists where a guest breaks it, as it was
measured: each row is a probe of the [table](../guest-image/protocol/probes.tsv), each column who
runs the guest. All other probes do what CPUID says: they work where it announces them, and are
refused where not.

- **Hidden, and does not stay hidden**: CPUID does not show the feature, and its instruction runs
  all the same, or another one in its place. Whoever masks features for migration cannot rely on it.
- **Announced, and does not work**: the guest crashes on what it was promised.

`cpuid-fidelity behaviour --format markdown` prints this page out of `expectations/behaviour.tsv`,
and a test compares both. A cell is what the probe gives: `runs`, an exception, `ignored` (the bit
does not stick), a register's value; an empty one: as CPUID says. Under TCG most of what does not
work is announced with `x-force-features=on` alone. What runs under KVM though hidden is what the
processor has and KVM does not close, so it depends on the processor of the host as well: a column
is a kernel, with the host's processor where several were measured.
";

/// The page, in Markdown.
pub fn page(facts: &Facts) -> String {
    let mut page = INTRO.to_owned();
    let mut families: Vec<&str> = facts.recorded.iter().map(|one| &*one.family).collect();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let known = FAMILIES.iter().find(|(known, ..)| *known == family);
        let (title, about) = known.map_or((family, ""), |(_, title, about)| (title, about));
        page += &format!("\n## {title}\n{about}");
        let columns = columns(facts, family);
        for (when, title) in [
            (When::Hidden, "Hidden, and does not stay hidden"),
            (When::Announced, "Announced, and does not work"),
        ] {
            page += &table(facts, &columns, when, title);
        }
    }
    page
}

/// A column of a family's tables: its heading, and who runs the guest.
type Column = (String, Ground);

fn columns(facts: &Facts, family: &str) -> Vec<Column> {
    let of_family = facts.recorded.iter().filter(|one| one.family == family);
    let several = of_family.clone().count() > 1;
    let column = |one: &Recorded, release: &String| {
        let heading = if several {
            format!("{} {release}", one.host)
        } else {
            release.clone()
        };
        let ground = Ground {
            family: one.family.clone(),
            host: one.host.clone(),
            release: release.clone(),
        };
        (heading, ground)
    };
    let of_one = |one: &Recorded| {
        let releases = one.releases.iter();
        releases.map(|release| column(one, release)).collect()
    };
    of_family
        .flat_map(|one: &Recorded| -> Vec<Column> { of_one(one) })
        .collect()
}

fn table(facts: &Facts, columns: &[Column], when: When, title: &str) -> String {
    let family = columns.first().map_or("", |(_, ground)| &ground.family);
    let of_table = |fact: &&Fact| fact.family == family && fact.when == when;
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for fact in facts.rows.iter().filter(of_table) {
        let name = row_name(fact);
        let cells: Vec<String> = columns
            .iter()
            .map(|(_, ground)| cell(fact, ground))
            .collect();
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                let merged = known.iter_mut().zip(cells);
                merged.for_each(|(old, new)| old.push_str(&new));
            }
            None => rows.push((name, cells)),
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| &**heading).collect();
    let head = format!("| probe | feature | where | {} |", headings.join(" | "));
    let rule = "|---".repeat(3 + columns.len());
    let body = rows
        .iter()
        .map(|(name, cells)| format!("| {name} | {} |\n", cells.join(" | ")));
    format!(
        "\n### {title}\n\n{head}\n{rule}|\n{}",
        body.collect::<String>()
    )
}

fn cell(fact: &Fact, ground: &Ground) -> String {
    if fact.covers(ground) {
        fact.answers.join(" or ")
    } else {
        String::new()
    }
}

/// `fisttp | pni | +sse`.
fn row_name(fact: &Fact) -> String {
    let probe = named(&fact.probe);
    let features = probe.map_or(String::new(), |probe| probe.features.join(", "));
    format!("`{}` | {features} | {}", fact.probe, conditions(fact))
}

fn conditions(fact: &Fact) -> String {
    let text = |condition: &String| match condition.split_at_checked(1) {
        Some(("+", name)) => format!("with {name}"),
        Some(("-", name)) => format!("without {name}"),
        _ => format!("{condition} bits"),
    };
    let parts: Vec<String> = fact.conditions.iter().map(text).collect();
    parts.join(", ")
}

/// A line a fact, for people.
pub fn lines(facts: &Facts, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let line = |fact: &Fact| {
        let features = named(&fact.probe).map(|probe| probe.features.join(" or "));
        let place = match (&fact.from, &fact.to) {
            (None, None) => "every release".to_owned(),
            (from, to) if from == to => from.clone().unwrap_or_default(),
            (from, to) => {
                let [from, to] = [from, to].map(|end| end.as_deref().unwrap_or_default());
                format!("{from}..{to}")
            }
        };
        let conditions = conditions(fact);
        let about = features
            .filter(|names| !names.is_empty())
            .unwrap_or_default();
        let line = format!(
            "{:<9} {place:<14} {:<9} {:<24} {:<22} {:<10} {conditions}",
            fact.runner(),
            fact.when.name(),
            fact.probe,
            about,
            fact.answers.join(","),
        );
        line.trim_end().to_owned()
    };
    let about = |fact: &&Fact| {
        let probe = named(&fact.probe);
        let features = probe.into_iter().flat_map(|probe| &probe.features);
        wanted(&fact.probe) || features.into_iter().any(|name| wanted(name))
    };
    facts.rows.iter().filter(about).map(line).collect()
}
