//! The answer as other programs take it.

use super::page::{PageAnswer, PageChoice};
use crate::cpuid::Table;

/// Who takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// QEMU's `-cpu` argument.
    Cpu,
    /// libvirt's `<cpu>`.
    Libvirt,
    /// A custom model of Proxmox VE, /etc/pve/virtual-guest/cpu-models.conf.
    Proxmox,
    /// OpenStack Nova: section `[libvirt]` of nova.conf.
    Nova,
    /// KubeVirt: the cluster's model, and the CPU of a virtual machine.
    Kubevirt,
    /// OpenStack traits: properties of a flavor.
    Traits,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 6] = [
        Form::Cpu,
        Form::Libvirt,
        Form::Proxmox,
        Form::Nova,
        Form::Kubevirt,
        Form::Traits,
    ];

    /// As the command line names it.
    pub const fn name(self) -> &'static str {
        self.described().0
    }

    /// The name, and what it is.
    pub const fn described(self) -> (&'static str, &'static str) {
        match self {
            Form::Cpu => ("cpu", "QEMU's -cpu argument alone"),
            Form::Libvirt => ("libvirt", "libvirt's <cpu>"),
            Form::Proxmox => ("proxmox", "A custom model of Proxmox VE"),
            Form::Nova => ("nova", "OpenStack Nova's section of nova.conf"),
            Form::Kubevirt => (
                "kubevirt",
                "KubeVirt's cluster configuration, and the CPU of a virtual machine",
            ),
            Form::Traits => ("traits", "OpenStack traits"),
        }
    }
}

/// The text that this program takes.
pub fn form(form: Form, answer: &PageAnswer, table: &Table) -> String {
    let best = &answer.best;
    match form {
        Form::Cpu => format!("-cpu {}\n", best.cpu),
        Form::Libvirt => libvirt(best, table),
        Form::Proxmox => proxmox(best),
        Form::Nova => nova(best, table),
        Form::Kubevirt => kubevirt(best, table),
        Form::Traits => traits(best),
    }
}

/// What libvirt, to 12.8, has no name for (src/cpu_map/x86_features.xml): it refuses a domain that names it.
pub const NAMELESS: [&str; 2] = ["full-width-write", "lmce"];

/// What an answer adds and libvirt cannot ask for, as a comment; no host's guests have it then.
fn nameless(best: &PageChoice) -> Option<String> {
    let names: Vec<&str> = best
        .plus
        .iter()
        .map(String::as_str)
        .filter(|name| NAMELESS.contains(name))
        .collect();
    let names = names.join(", ");
    (!names.is_empty()).then(|| format!("libvirt has no name for {names}: left out"))
}

/// libvirt's name of a feature.
fn libvirt_name<'a>(name: &'a str, table: &'a Table) -> &'a str {
    // QEMU's name of a bit of INVVPID, which libvirt calls by what it is (src/cpu_map/x86_features.xml).
    if name == "vmx-invept-single-context-noglobals" {
        return "vmx-invvpid-single-context-noglobals";
    }
    let field = table.named(name);
    field
        .and_then(|field| field.aliases_of("libvirt").next())
        .unwrap_or(name)
}

fn policies<'a>(
    best: &'a PageChoice,
    table: &'a Table,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let plus = best.plus.iter().map(|name| ("require", name));
    let all = plus.chain(best.minus.iter().map(|name| ("disable", name)));
    let named = all.filter(|(_, name)| !NAMELESS.contains(&name.as_str()));
    named.map(move |(policy, name)| (policy, libvirt_name(name, table)))
}

/// `check='full'` refuses a guest that does not get all of it (docs/formatdomain.rst).
fn libvirt(best: &PageChoice, table: &Table) -> String {
    let mut xml = format!(
        "<cpu mode='custom' match='exact' check='full'>\n  <model fallback='forbid'>{}</model>\n",
        best.model
    );
    if let Some(bits) = best.phys_bits {
        xml.push_str(&format!("  <maxphysaddr mode='emulate' bits='{bits}'/>\n"));
    }
    for (policy, name) in policies(best, table) {
        xml.push_str(&format!("  <feature policy='{policy}' name='{name}'/>\n"));
    }
    if let Some(left_out) = nameless(best) {
        xml.push_str(&format!("  <!-- {left_out} -->\n"));
    }
    xml + "</cpu>\n"
}

fn flags(best: &PageChoice, between: &str) -> String {
    let plus = best.plus.iter().map(|name| format!("+{name}"));
    let all: Vec<String> = plus
        .chain(best.minus.iter().map(|name| format!("-{name}")))
        .collect();
    all.join(between)
}

fn proxmox(best: &PageChoice) -> String {
    let mut text = "cpu-model: fleet\n".to_owned();
    let flags = flags(best, ";");
    if !flags.is_empty() {
        text.push_str(&format!("    flags {flags}\n"));
    }
    if let Some(bits) = best.phys_bits {
        text.push_str(&format!("    phys-bits {bits}\n"));
    }
    text + &format!("    reported-model {}\n", best.model)
}

fn nova(best: &PageChoice, table: &Table) -> String {
    let sign = |policy: &str| if policy == "require" { '+' } else { '-' };
    let flags: Vec<String> = policies(best, table)
        .map(|(policy, name)| format!("{}{name}", sign(policy)))
        .collect();
    let mut text = format!(
        "[libvirt]\ncpu_mode = custom\ncpu_models = {}\n",
        best.model
    );
    if !flags.is_empty() {
        text.push_str(&format!("cpu_model_extra_flags = {}\n", flags.join(",")));
    }
    if let Some(left_out) = nameless(best) {
        text.push_str(&format!("# {left_out}\n"));
    }
    if let Some(bits) = best.phys_bits {
        text.push_str(&format!(
            "# of each flavor: hw:maxphysaddr_mode=emulate hw:maxphysaddr_bits={bits}\n"
        ));
    }
    text
}

fn kubevirt(best: &PageChoice, table: &Table) -> String {
    let mut text = format!(
        "apiVersion: kubevirt.io/v1\nkind: KubeVirt\nmetadata:\n  name: kubevirt\n  namespace: kubevirt\nspec:\n  configuration:\n    \
         cpuModel: {0}\n---\n# spec.template.spec.domain of each virtual machine\ncpu:\n  model: {0}\n",
        best.model
    );
    let features: Vec<(&str, &str)> = policies(best, table).collect();
    if !features.is_empty() {
        text.push_str("  features:\n");
    }
    for (policy, name) in features {
        text.push_str(&format!("  - name: {name}\n    policy: {policy}\n"));
    }
    if let Some(left_out) = nameless(best) {
        text.push_str(&format!("  # {left_out}\n"));
    }
    text
}

/// os-traits (os_traits/hw/cpu/x86): the feature, and the end of its trait.
const TRAITS: [(&str, &str); 44] = [
    ("3dnow", "3DNOW"),
    ("abm", "ABM"),
    ("aes", "AESNI"),
    ("avx", "AVX"),
    ("avx2", "AVX2"),
    ("avx512bitalg", "AVX512BITALG"),
    ("avx512bw", "AVX512BW"),
    ("avx512cd", "AVX512CD"),
    ("avx512dq", "AVX512DQ"),
    ("avx512er", "AVX512ER"),
    ("avx512f", "AVX512F"),
    ("avx512ifma", "AVX512IFMA"),
    ("avx512pf", "AVX512PF"),
    ("avx512vbmi", "AVX512VBMI"),
    ("avx512vbmi2", "AVX512VBMI2"),
    ("avx512vl", "AVX512VL"),
    ("avx512vnni", "AVX512VNNI"),
    ("avx512-vpopcntdq", "AVX512VPOPCNTDQ"),
    ("bmi1", "BMI"),
    ("bmi2", "BMI2"),
    ("pclmulqdq", "CLMUL"),
    ("f16c", "F16C"),
    ("fma", "FMA3"),
    ("fma4", "FMA4"),
    ("md-clear", "INTEL_MD_CLEAR"),
    ("pcid", "INTEL_PCID"),
    ("spec-ctrl", "INTEL_SPEC_CTRL"),
    ("mmx", "MMX"),
    ("mpx", "MPX"),
    ("pdpe1gb", "PDPE1GB"),
    ("sha-ni", "SHA"),
    ("ssbd", "SSBD"),
    ("sse", "SSE"),
    ("sse2", "SSE2"),
    ("pni", "SSE3"),
    ("sse4.1", "SSE41"),
    ("sse4.2", "SSE42"),
    ("sse4a", "SSE4A"),
    ("ssse3", "SSSE3"),
    ("stibp", "STIBP"),
    ("svm", "AMD_SVM"),
    ("tbm", "TBM"),
    ("vmx", "INTEL_VMX"),
    ("xop", "XOP"),
];

fn traits(best: &PageChoice) -> String {
    let own = TRAITS
        .iter()
        .filter(|(feature, _)| best.features.iter().any(|name| name == feature));
    own.map(|(_, name)| format!("trait:HW_CPU_X86_{name}=required\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::fixture::table;

    fn answer() -> PageAnswer {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        PageAnswer {
            best: PageChoice {
                cpu: "EPYC-Rome-v2,+cmp-legacy,-clwb,phys-bits=39".to_owned(),
                model: "EPYC-Rome-v2".to_owned(),
                plus: own(&["cmp-legacy"]),
                minus: own(&["clwb"]),
                phys_bits: Some(39),
                features: own(&["avx2", "aes", "cmp-legacy"]),
                ..PageChoice::default()
            },
            ..PageAnswer::default()
        }
    }

    fn shown(wanted: Form) -> String {
        form(wanted, &answer(), &table())
    }

    #[test]
    fn every_form_has_the_model_and_its_flags() {
        assert_eq!(
            shown(Form::Cpu),
            "-cpu EPYC-Rome-v2,+cmp-legacy,-clwb,phys-bits=39\n"
        );
        assert_eq!(
            shown(Form::Libvirt),
            "<cpu mode='custom' match='exact' check='full'>\n  <model fallback='forbid'>EPYC-Rome-v2</model>\n  \
             <maxphysaddr mode='emulate' bits='39'/>\n  <feature policy='require' name='cmp_legacy'/>\n  \
             <feature policy='disable' name='clwb'/>\n</cpu>\n"
        );
        assert_eq!(
            shown(Form::Proxmox),
            "cpu-model: fleet\n    flags +cmp-legacy;-clwb\n    phys-bits 39\n    reported-model EPYC-Rome-v2\n"
        );
        assert_eq!(
            shown(Form::Nova),
            "[libvirt]\ncpu_mode = custom\ncpu_models = EPYC-Rome-v2\ncpu_model_extra_flags = +cmp_legacy,-clwb\n\
             # of each flavor: hw:maxphysaddr_mode=emulate hw:maxphysaddr_bits=39\n"
        );
        let kubevirt = shown(Form::Kubevirt);
        assert!(
            kubevirt.contains("    cpuModel: EPYC-Rome-v2\n---\n"),
            "{kubevirt}"
        );
        assert!(
            kubevirt.ends_with(
                "  - name: cmp_legacy\n    policy: require\n  - name: clwb\n    policy: disable\n"
            ),
            "{kubevirt}"
        );
        assert_eq!(
            shown(Form::Traits),
            "trait:HW_CPU_X86_AESNI=required\ntrait:HW_CPU_X86_AVX2=required\n"
        );
    }

    #[test]
    fn what_libvirt_has_no_name_for_is_left_out_of_its_forms_and_said() {
        let mut answer = answer();
        answer.best.plus.push("lmce".to_owned());
        let shown = |wanted| form(wanted, &answer, &table());
        let said = "libvirt has no name for lmce: left out";
        for wanted in [Form::Libvirt, Form::Nova, Form::Kubevirt] {
            let text = shown(wanted);
            assert_eq!(text.matches("lmce").count(), 1, "{text}");
            assert!(text.contains(said), "{text}");
        }
        assert!(shown(Form::Proxmox).contains("+lmce"));
    }

    #[test]
    fn traits_are_of_features_that_there_are() {
        let table = table();
        let unknown: Vec<_> = TRAITS
            .iter()
            .filter(|(feature, _)| table.named(feature).is_none())
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
