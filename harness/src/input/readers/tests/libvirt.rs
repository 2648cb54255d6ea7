//! libvirt's XML and the files of its tests.

use super::support::{
    all, cpu, cpuid, field, file, keys, known, names, only, presence, refused, regs, titles,
};
use crate::cpuid::Reading;
use crate::input::{Coverage, Format, Presence, Register, State};

#[test]
fn cpudata_has_leaves_and_msrs_of_a_host() {
    let input = only(file!("epyc-9334.cpudata.xml"));
    assert_eq!((input.format, input.state), (Format::Cpudata, State::Os));
    assert_eq!(input.coverage, Coverage::WithoutZeroes);
    let cpu = &input.cpus[0];
    assert_eq!(regs(cpu, 7, 1), Some([0x20, 0, 0, 0]));
    assert_eq!(cpu.msrs.len(), 2);
    // Leaf 2 is left out because it is 0, and leaf 11H because there is none.
    assert_eq!(known(&input, cpuid(2, 0, 0)), (0, 0xffff_ffff));
    assert_eq!(known(&input, cpuid(0x11, 0, 0)), (0, 0xffff_ffff));
    assert_eq!(presence(&input, "avx2"), Presence::Present);
}

#[test]
fn cpudata_without_leaf_0_is_an_excerpt() {
    let input = only(
        "<!-- Features enabled by QEMU -->\n<cpudata arch='x86'><cpuid eax_in='7' ebx='32'/><msr index='0x10a' edx='1' eax='2'/></cpudata>",
    );
    assert_eq!(input.coverage, Coverage::Excerpt);
    assert_eq!(input.title.as_deref(), Some("Features enabled by QEMU"));
    assert_eq!(regs(&input.cpus[0], 7, 0), Some([0, 32, 0, 0]));
    assert_eq!(input.cpus[0].msrs[&0x10a], Reading::Value(0x1_0000_0002));
    assert_eq!(presence(&input, "pni"), Presence::Unknown);
}

#[test]
fn a_host_lists_what_it_has_beyond_its_model() {
    let input = only(file!("haswell.capabilities.xml"));
    assert_eq!(input.title.as_deref(), Some("Haswell-noTSX"));
    assert_eq!(
        (input.state, input.coverage),
        (State::Os, Coverage::Excerpt)
    );
    let cpu = &input.cpus[0];
    assert_eq!(
        names(cpu),
        ["arch-capabilities pclmulqdq vme vmx", "", "not-yet-known"]
    );
    let fields = [
        "vendor",
        "family",
        "microcode",
        "phys-bits",
        "tsc-frequency",
    ];
    let values = fields.map(|name| field(cpu, name).unwrap_or_default());
    assert_eq!(values, ["GenuineIntel", "6", "0x2d", "39", "2596991000"]);
    assert_eq!(known(&input, cpuid(1, 0, 0)), (0x0003_06c3, 0x0fff_0fff));
    // What the model has stands in libvirt's map alone.
    assert_eq!(presence(&input, "avx2"), Presence::Unknown);
}

#[test]
fn domcapabilities_have_the_host_model_and_each_model() {
    let inputs = all(file!("rome.domcapabilities.xml"));
    let expected = ["host-model (EPYC-Rome)", "EPYC", "Haswell", "qemu64"];
    assert_eq!(titles(&inputs), expected.map(Some));
    let own: Vec<[String; 3]> = inputs.iter().map(|input| names(&input.cpus[0])).collect();
    assert_eq!(own[0], ["cmp-legacy x2apic", "wbnoinvd", ""]);
    assert_eq!(own[2], ["", "hle rtm", ""]);
    let usable = inputs[1..]
        .iter()
        .map(|input| field(&input.cpus[0], "usable"));
    assert_eq!(
        usable.collect::<Vec<_>>(),
        ["yes", "no", "unknown"].map(Some)
    );
}

#[test]
fn a_policy_is_what_is_known_of_a_feature() {
    let input = only(
        "<cpu mode='custom' match='exact'><model>EPYC</model><vendor>AMD</vendor><feature name='avx'/>\
         <feature policy='force' name='x2apic'/><feature policy='disable' name='svm'/><feature policy='forbid' name='sse4a'/>\
         <feature policy='optional' name='topoext'/></cpu>",
    );
    assert_eq!(input.title.as_deref(), Some("EPYC"));
    assert_eq!(names(&input.cpus[0]), ["avx x2apic", "sse4a svm", ""]);
    let known = ["x2apic", "svm", "topoext", "avx2"].map(|name| presence(&input, name));
    let unknown = Presence::Unknown;
    assert_eq!(
        known,
        [Presence::Present, Presence::Absent, unknown, unknown]
    );
}

#[test]
fn a_domain_is_read_by_its_cpu() {
    let title = |text: &str| only(text).title.unwrap_or_default();
    for (text, expected) in [
        (file!("topology.domain.xml"), "domain x, Skylake-Server"),
        (file!("hyperv.domain.xml"), "domain x, host-passthrough"),
        (file!("overridden.domain.xml"), "domain x, EPYC"),
        (file!("numa.domain.xml"), "domain x, EPYC"),
        (file!("lone.cpu.xml"), "EPYC"),
        (file!("cache.domain.xml"), "domain x, host-passthrough"),
        (file!("l3-cache.domain.xml"), "domain x, EPYC"),
        (file!("phys-bits.domain.xml"), "domain x, EPYC"),
    ] {
        assert_eq!(title(text), expected);
        assert_eq!(only(text).state, State::Reset);
        assert_eq!(presence(&only(text), "avx2"), Presence::Unknown);
    }
    assert_eq!(names(&cpu(file!("overridden.domain.xml")))[0], "topoext");
    let bits = cpu(file!("phys-bits.domain.xml"));
    assert_eq!(field(&bits, "phys-bits"), Some("42"));
}

#[test]
fn a_host_that_libvirts_scripts_gathered_is_read_with_qemus_answers() {
    let inputs = all(file!("broadwell.cpu-gather.txt"));
    let name = "Intel(R) Xeon(R) CPU E5-2630 v4 @ 2.20GHz";
    assert_eq!(titles(&inputs), [Some(name), Some("base")]);
    assert_eq!(keys(&inputs[0].cpus[0]), [(0, 0), (1, 0), (0x8000_0000, 0)]);
    assert_eq!(inputs[0].cpus[0].msrs[&0x10a], Reading::Value(8));
    assert_eq!(names(&inputs[1].cpus[0]), ["avx2", "invtsc", ""]);
    assert!(inputs.iter().all(|input| input.format == Format::CpuGather));

    let inputs = all(file!("broadwell.cpu-data.json"));
    assert_eq!(titles(&inputs), [Some(name), Some("base"), Some("EPYC")]);
    assert_eq!(
        regs(&inputs[0].cpus[0], 1, 0).map(|regs| regs[0]),
        Some(0x406f1)
    );
    assert_eq!(inputs[0].cpus[0].msrs.len(), 2);
    assert_eq!(
        known(&inputs[1], Register::Cpuid(crate::cpuid::Key::new(0, 0), 0)).0,
        20
    );
    assert!(inputs.iter().all(|input| input.format == Format::CpuData));
}

#[test]
fn what_breaks_the_rules_of_libvirt_is_an_error_with_its_place() {
    for (text, expected) in [
        (
            "<cpudata arch='ppc64'>\n</cpudata>",
            "line 1, column 1: expected arch='x86', found ppc64 (read as libvirt's <cpudata>)",
        ),
        (
            "<cpudata arch='x86'>\n  <cpuid eax_in='0x1' eax='0x123456789'/>\n</cpudata>",
            "line 2, column 3: eax: expected a number of at most 32 bits, found 0x123456789 (read as libvirt's <cpudata>)",
        ),
        (
            "<cpudata arch='x86'>\n  <cpuid eax='0x1'/>\n</cpudata>",
            "line 2, column 3: <cpuid> without eax_in (read as libvirt's <cpudata>)",
        ),
        (
            "<cpudata arch='x86'>\n<msr index='1' eax='0' edx='0'/>\n<msr index='0x1' eax='0' edx='0'/></cpudata>",
            "line 3, column 1: an earlier element is of the same leaf or MSR (read as libvirt's <cpudata>)",
        ),
        (
            "<cpudata arch='x86'><leaf/></cpudata>",
            "line 1, column 21: expected <cpuid> or <msr>, found <leaf> (read as libvirt's <cpudata>)",
        ),
        (
            "<cpudata arch='x86'>\n  <cpuid eax_in='0x1'/>\n",
            "line 1, column 1: the root node was opened but never closed (read as libvirt's <cpudata>)",
        ),
        (
            "<cpu>\n  <feature policy='maybe' name='avx'/>\n</cpu>",
            "line 2, column 3: avx has a policy that libvirt does not know (read as libvirt's <cpu> or <domain>)",
        ),
        (
            "<domain><os><type arch='aarch64'>hvm</type></os><cpu/></domain>",
            "line 1, column 1: expected x86_64 or i686, found a CPU of aarch64 (read as libvirt's <cpu> or <domain>)",
        ),
        (
            "<domain/>",
            "line 1, column 1: a domain without <cpu> (read as libvirt's <cpu> or <domain>)",
        ),
        (
            "<capabilities><host/></capabilities>",
            "line 1, column 1: capabilities without <host><cpu> (read as virsh capabilities)",
        ),
        (
            "<domainCapabilities/>",
            "line 1, column 1: domcapabilities without <cpu> (read as virsh domcapabilities)",
        ),
        (
            "<domainCapabilities><cpu><mode name='host-model' supported='no'/></cpu></domainCapabilities>",
            "line 1, column 1: neither a host-model nor a model is supported (read as virsh domcapabilities)",
        ),
        (
            "model name\t: X\nCPU:\n   0x0 0x0: eax=0x1 ebx=0x0 ecx=0x0 edx=0x0\nMSR:\n   0x10a: 8\n",
            "line 5, column 4: expected 0xINDEX: 0xVALUE, or QMP's answers, found 0x10a: 8 (read as cpu-gather.py of libvirt)",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}
