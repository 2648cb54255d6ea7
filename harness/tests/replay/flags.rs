//! raw-cpuid as an independent decoder: for each flag it knows, it and the feature table speak of the same bit.

use cpuid_fidelity::cpuid::dump::Dump;
use cpuid_fidelity::cpuid::render::render;
use cpuid_fidelity::cpuid::table::{Field, Format, Space, Table};
use cpuid_fidelity::cpuid::volatile::Volatile;
use raw_cpuid::{
    CpuId, CpuIdResult, ExtendedFeatures, ExtendedProcessorFeatureIdentifiers, FeatureInfo,
    ProcessorCapacityAndFeatureInfo, SvmFeatures,
};

use super::{record, table};

type Flag<T> = (&'static str, fn(&T) -> bool);

const BASIC: &[Flag<FeatureInfo>] = &[
    ("pni", FeatureInfo::has_sse3),
    ("pclmulqdq", FeatureInfo::has_pclmulqdq),
    ("dtes64", FeatureInfo::has_ds_area),
    ("monitor", FeatureInfo::has_monitor_mwait),
    ("ds-cpl", FeatureInfo::has_cpl),
    ("vmx", FeatureInfo::has_vmx),
    ("smx", FeatureInfo::has_smx),
    ("est", FeatureInfo::has_eist),
    ("tm2", FeatureInfo::has_tm2),
    ("ssse3", FeatureInfo::has_ssse3),
    ("cid", FeatureInfo::has_cnxtid),
    ("fma", FeatureInfo::has_fma),
    ("cx16", FeatureInfo::has_cmpxchg16b),
    ("pdcm", FeatureInfo::has_pdcm),
    ("pcid", FeatureInfo::has_pcid),
    ("dca", FeatureInfo::has_dca),
    ("sse4.1", FeatureInfo::has_sse41),
    ("sse4.2", FeatureInfo::has_sse42),
    ("x2apic", FeatureInfo::has_x2apic),
    ("movbe", FeatureInfo::has_movbe),
    ("popcnt", FeatureInfo::has_popcnt),
    ("tsc-deadline", FeatureInfo::has_tsc_deadline),
    ("aes", FeatureInfo::has_aesni),
    ("xsave", FeatureInfo::has_xsave),
    ("osxsave", FeatureInfo::has_oxsave),
    ("avx", FeatureInfo::has_avx),
    ("f16c", FeatureInfo::has_f16c),
    ("rdrand", FeatureInfo::has_rdrand),
    ("hypervisor", FeatureInfo::has_hypervisor),
    ("fpu", FeatureInfo::has_fpu),
    ("vme", FeatureInfo::has_vme),
    ("de", FeatureInfo::has_de),
    ("pse", FeatureInfo::has_pse),
    ("tsc", FeatureInfo::has_tsc),
    ("msr", FeatureInfo::has_msr),
    ("pae", FeatureInfo::has_pae),
    ("mce", FeatureInfo::has_mce),
    ("cx8", FeatureInfo::has_cmpxchg8b),
    ("apic", FeatureInfo::has_apic),
    ("sep", FeatureInfo::has_sysenter_sysexit),
    ("mtrr", FeatureInfo::has_mtrr),
    ("pge", FeatureInfo::has_pge),
    ("mca", FeatureInfo::has_mca),
    ("cmov", FeatureInfo::has_cmov),
    ("pat", FeatureInfo::has_pat),
    ("pse36", FeatureInfo::has_pse36),
    ("pn", FeatureInfo::has_psn),
    ("clflush", FeatureInfo::has_clflush),
    ("ds", FeatureInfo::has_ds),
    ("acpi", FeatureInfo::has_acpi),
    ("mmx", FeatureInfo::has_mmx),
    ("fxsr", FeatureInfo::has_fxsave_fxstor),
    ("sse", FeatureInfo::has_sse),
    ("sse2", FeatureInfo::has_sse2),
    ("ss", FeatureInfo::has_ss),
    ("ht", FeatureInfo::has_htt),
    ("tm", FeatureInfo::has_tm),
    ("pbe", FeatureInfo::has_pbe),
];

const STRUCTURED: &[Flag<ExtendedFeatures>] = &[
    ("fsgsbase", ExtendedFeatures::has_fsgsbase),
    ("tsc-adjust", ExtendedFeatures::has_tsc_adjust_msr),
    ("bmi1", ExtendedFeatures::has_bmi1),
    ("hle", ExtendedFeatures::has_hle),
    ("avx2", ExtendedFeatures::has_avx2),
    ("fdp-excptn-only", ExtendedFeatures::has_fdp),
    ("smep", ExtendedFeatures::has_smep),
    ("bmi2", ExtendedFeatures::has_bmi2),
    ("erms", ExtendedFeatures::has_rep_movsb_stosb),
    ("invpcid", ExtendedFeatures::has_invpcid),
    ("rtm", ExtendedFeatures::has_rtm),
    ("zero-fcs-fds", ExtendedFeatures::has_fpu_cs_ds_deprecated),
    ("mpx", ExtendedFeatures::has_mpx),
    ("avx512f", ExtendedFeatures::has_avx512f),
    ("avx512dq", ExtendedFeatures::has_avx512dq),
    ("rdseed", ExtendedFeatures::has_rdseed),
    ("adx", ExtendedFeatures::has_adx),
    ("smap", ExtendedFeatures::has_smap),
    ("avx512ifma", ExtendedFeatures::has_avx512_ifma),
    ("clflushopt", ExtendedFeatures::has_clflushopt),
    ("clwb", ExtendedFeatures::has_clwb),
    ("intel-pt", ExtendedFeatures::has_processor_trace),
    ("avx512pf", ExtendedFeatures::has_avx512pf),
    ("avx512er", ExtendedFeatures::has_avx512er),
    ("avx512cd", ExtendedFeatures::has_avx512cd),
    ("sha-ni", ExtendedFeatures::has_sha),
    ("avx512bw", ExtendedFeatures::has_avx512bw),
    ("avx512vl", ExtendedFeatures::has_avx512vl),
    ("avx512vbmi", ExtendedFeatures::has_avx512vbmi),
    ("umip", ExtendedFeatures::has_umip),
    ("pku", ExtendedFeatures::has_pku),
    ("ospke", ExtendedFeatures::has_ospke),
    ("waitpkg", ExtendedFeatures::has_waitpkg),
    ("gfni", ExtendedFeatures::has_gfni),
    ("vaes", ExtendedFeatures::has_vaes),
    ("vpclmulqdq", ExtendedFeatures::has_vpclmulqdq),
    ("avx512vnni", ExtendedFeatures::has_avx512vnni),
    ("avx512bitalg", ExtendedFeatures::has_avx512bitalg),
    ("avx512-vpopcntdq", ExtendedFeatures::has_avx512vpopcntdq),
    ("la57", ExtendedFeatures::has_la57),
    ("rdpid", ExtendedFeatures::has_rdpid),
    ("avx512-4vnniw", ExtendedFeatures::has_avx512_4vnniw),
    ("avx512-4fmaps", ExtendedFeatures::has_avx512_4fmaps),
    (
        "avx512-vp2intersect",
        ExtendedFeatures::has_avx512_vp2intersect,
    ),
    ("amx-bf16", ExtendedFeatures::has_amx_bf16),
    ("avx512-fp16", ExtendedFeatures::has_avx512_fp16),
    ("amx-tile", ExtendedFeatures::has_amx_tile),
    ("amx-int8", ExtendedFeatures::has_amx_int8),
    ("avx-vnni", ExtendedFeatures::has_avx_vnni),
    ("avx512-bf16", ExtendedFeatures::has_avx512_bf16),
];

const EXTENDED: &[Flag<ExtendedProcessorFeatureIdentifiers>] = &[
    (
        "lahf-lm",
        ExtendedProcessorFeatureIdentifiers::has_lahf_sahf,
    ),
    (
        "cmp-legacy",
        ExtendedProcessorFeatureIdentifiers::has_cmp_legacy,
    ),
    ("svm", ExtendedProcessorFeatureIdentifiers::has_svm),
    (
        "extapic",
        ExtendedProcessorFeatureIdentifiers::has_ext_apic_space,
    ),
    (
        "cr8legacy",
        ExtendedProcessorFeatureIdentifiers::has_alt_mov_cr8,
    ),
    ("abm", ExtendedProcessorFeatureIdentifiers::has_lzcnt),
    ("sse4a", ExtendedProcessorFeatureIdentifiers::has_sse4a),
    (
        "misalignsse",
        ExtendedProcessorFeatureIdentifiers::has_misaligned_sse_mode,
    ),
    (
        "3dnowprefetch",
        ExtendedProcessorFeatureIdentifiers::has_prefetchw,
    ),
    ("osvw", ExtendedProcessorFeatureIdentifiers::has_osvw),
    ("ibs", ExtendedProcessorFeatureIdentifiers::has_ibs),
    ("xop", ExtendedProcessorFeatureIdentifiers::has_xop),
    ("skinit", ExtendedProcessorFeatureIdentifiers::has_skinit),
    ("wdt", ExtendedProcessorFeatureIdentifiers::has_wdt),
    ("lwp", ExtendedProcessorFeatureIdentifiers::has_lwp),
    ("fma4", ExtendedProcessorFeatureIdentifiers::has_fma4),
    ("tbm", ExtendedProcessorFeatureIdentifiers::has_tbm),
    (
        "topoext",
        ExtendedProcessorFeatureIdentifiers::has_topology_extensions,
    ),
    (
        "perfctr-core",
        ExtendedProcessorFeatureIdentifiers::has_perf_cntr_extensions,
    ),
    (
        "perfctr-nb",
        ExtendedProcessorFeatureIdentifiers::has_nb_perf_cntr_extensions,
    ),
    (
        "syscall",
        ExtendedProcessorFeatureIdentifiers::has_syscall_sysret,
    ),
    (
        "nx",
        ExtendedProcessorFeatureIdentifiers::has_execute_disable,
    ),
    (
        "mmxext",
        ExtendedProcessorFeatureIdentifiers::has_mmx_extensions,
    ),
    (
        "fxsr-opt",
        ExtendedProcessorFeatureIdentifiers::has_fast_fxsave_fxstor,
    ),
    (
        "pdpe1gb",
        ExtendedProcessorFeatureIdentifiers::has_1gib_pages,
    ),
    ("rdtscp", ExtendedProcessorFeatureIdentifiers::has_rdtscp),
    ("lm", ExtendedProcessorFeatureIdentifiers::has_64bit_mode),
    (
        "3dnowext",
        ExtendedProcessorFeatureIdentifiers::has_amd_3dnow_extensions,
    ),
    ("3dnow", ExtendedProcessorFeatureIdentifiers::has_3dnow),
];

const CAPACITY: &[Flag<ProcessorCapacityAndFeatureInfo>] = &[
    ("clzero", ProcessorCapacityAndFeatureInfo::has_cl_zero),
    (
        "irperf",
        ProcessorCapacityAndFeatureInfo::has_inst_ret_cntr_msr,
    ),
    (
        "xsaveerptr",
        ProcessorCapacityAndFeatureInfo::has_restore_fp_error_ptrs,
    ),
    ("rdpru", ProcessorCapacityAndFeatureInfo::has_rdpru),
    ("wbnoinvd", ProcessorCapacityAndFeatureInfo::has_wbnoinvd),
    (
        "no-efer-lmsle",
        ProcessorCapacityAndFeatureInfo::has_unsupported_efer_lmsle,
    ),
];

const SVM: &[Flag<SvmFeatures>] = &[
    ("npt", SvmFeatures::has_nested_paging),
    ("lbrv", SvmFeatures::has_lbr_virtualization),
    ("svm-lock", SvmFeatures::has_svm_lock),
    ("nrip-save", SvmFeatures::has_nrip),
    ("tsc-scale", SvmFeatures::has_tsc_rate_msr),
    ("vmcb-clean", SvmFeatures::has_vmcb_clean_bits),
    ("flushbyasid", SvmFeatures::has_flush_by_asid),
    ("decodeassists", SvmFeatures::has_decode_assists),
    ("pause-filter", SvmFeatures::has_pause_filter),
    ("pfthreshold", SvmFeatures::has_pause_filter_threshold),
    ("avic", SvmFeatures::has_avic),
    ("v-vmsave-vmload", SvmFeatures::has_vmsave_virtualization),
    ("vgif", SvmFeatures::has_gif),
];

/// The answer of every flag that raw-cpuid can give for a processor that answers so: AMD's leaves on AMD alone.
fn independent(read: impl Fn(u32, u32) -> CpuIdResult + Clone) -> Vec<(&'static str, bool)> {
    fn ask<T>(
        flags: &'static [Flag<T>],
        info: Option<T>,
    ) -> impl Iterator<Item = (&'static str, bool)> {
        let info = info.into_iter();
        info.flat_map(|info| flags.iter().map(move |(name, flag)| (*name, flag(&info))))
    }
    let cpu = CpuId::with_cpuid_reader(read);
    let mut answers: Vec<_> = ask(BASIC, cpu.get_feature_info()).collect();
    answers.extend(ask(STRUCTURED, cpu.get_extended_feature_info()));
    answers.extend(ask(
        EXTENDED,
        cpu.get_extended_processor_and_feature_identifiers(),
    ));
    answers.extend(ask(CAPACITY, cpu.get_processor_capacity_feature_info()));
    answers.extend(ask(SVM, cpu.get_svm_info()));
    answers
}

/// Reads a record as a processor would answer.
fn reader(dump: &Dump) -> impl Fn(u32, u32) -> CpuIdResult + Clone + '_ {
    |leaf, subleaf| {
        let [eax, ebx, ecx, edx] = dump.vcpus[0].cpuid(leaf, subleaf).unwrap_or([0; 4]);
        CpuIdResult { eax, ebx, ecx, edx }
    }
}

fn field<'t>(table: &'t Table, name: &str) -> &'t Field {
    let mut fields = table.fields().iter();
    let found = fields.find(|field| field.space == Space::Cpuid && field.name == name);
    found.unwrap_or_else(|| panic!("features.tsv does not know {name}"))
}

#[test]
fn an_independent_decoder_sees_the_same_flags_in_records_of_both_vendors() {
    let table = table();
    for (name, least) in [("skylake-server-v4", 100), ("epyc-milan", 130)] {
        let dump = record(name);
        let lines = render(&dump, &table, &Volatile::default());
        let answers = independent(reader(&dump));
        for (flag, set) in &answers {
            let shown = lines
                .iter()
                .any(|line| line.text == *flag && line.to_string().starts_with("cpuid"));
            assert_eq!(shown, *set, "{flag} in {name}");
        }
        assert!(answers.len() >= least, "{} flags of {name}", answers.len());
        assert!(
            answers.iter().filter(|(_, set)| *set).count() >= 60,
            "{answers:?}"
        );
    }
}

/// What no record has is compared too: with one bit set in all feature words, the flag of that name is set and no other.
#[test]
fn an_independent_decoder_finds_each_flag_at_the_bit_of_the_table() {
    let table = table();
    let base = record("epyc-milan");
    let names: Vec<&str> = independent(reader(&base))
        .iter()
        .map(|(name, _)| *name)
        .collect();
    for name in &names {
        let field = field(&table, name);
        assert_eq!(field.format, Format::Flag, "{name}");
        let read = |leaf: u32, subleaf: u32| {
            let mut regs = base.vcpus[0].cpuid(leaf, subleaf).unwrap_or([0; 4]);
            if [1, 7, 0x8000_0001, 0x8000_0008, 0x8000_000A].contains(&leaf) {
                regs = [if leaf == 7 { 2 } else { 0 }, 0, 0, 0];
                if subleaf > 0 {
                    regs = [0; 4];
                }
            }
            // raw-cpuid gives leaf 8000000AH only where SVM is on.
            if leaf == 0x8000_0001 && field.leaf == 0x8000_000A {
                regs[2] = 1 << 2;
            }
            if leaf == field.leaf && field.subleaves.covers(subleaf) {
                regs[usize::from(field.register)] |= 1 << field.low;
            }
            let [eax, ebx, ecx, edx] = regs;
            CpuIdResult { eax, ebx, ecx, edx }
        };
        let set: Vec<&str> = independent(read)
            .into_iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| name)
            .collect();
        let wanted: Vec<&str> = if field.leaf == 0x8000_000A {
            vec!["svm", name]
        } else {
            vec![name]
        };
        assert_eq!(set, wanted, "{field:?}");
    }
    assert!(names.len() >= 60);
}

#[test]
fn an_independent_decoder_reads_the_same_numbers_and_names() {
    let table = table();
    for name in [
        "skylake-server-v4",
        "epyc-milan",
        "486",
        "sapphire-rapids-dies",
    ] {
        let dump = record(name);
        let lines = render(&dump, &table, &Volatile::default());
        let value = |field: &str| {
            let line = lines
                .iter()
                .find(|line| line.name() == field && line.place.vcpu == 0);
            line.and_then(|line| line.value())
                .map(|value| value.trim_matches('"').to_owned())
                .unwrap_or_default()
        };
        let cpu = CpuId::with_cpuid_reader(reader(&dump));
        let vendor = cpu.get_vendor_info().expect("a vendor");
        assert_eq!(
            ["vendor-0", "vendor-1", "vendor-2"].map(value).concat(),
            vendor.as_str(),
            "{name}"
        );
        let info = cpu.get_feature_info().expect("leaf 1");
        for (field, number) in [
            ("family", info.base_family_id()),
            ("ext-family", info.extended_family_id()),
            ("model", info.base_model_id()),
            ("ext-model", info.extended_model_id()),
            ("stepping", info.stepping_id()),
            ("initial-apic-id", info.initial_local_apic_id()),
        ] {
            assert_eq!(value(field), number.to_string(), "{field} of {name}");
        }
        if let Some(sizes) = cpu.get_processor_capacity_feature_info() {
            assert_eq!(
                value("phys-bits"),
                sizes.physical_address_bits().to_string(),
                "{name}"
            );
            assert_eq!(
                value("virt-bits"),
                sizes.linear_address_bits().to_string(),
                "{name}"
            );
        }
        if let Some(brand) = cpu.get_processor_brand_string() {
            let parts: String = (0..12)
                .map(|part| value(&format!("model-id-{part}")))
                .collect();
            let whole = parts.split("\\x00").next().unwrap_or("").trim();
            assert_eq!(whole, brand.as_str().trim(), "{name}");
        }
    }
}
