//! What features need, as data.

/// Features, and those of which one must be there with each of them.
#[derive(Clone, Copy, Debug)]
pub struct Dependency {
    /// Names of the feature table.
    pub features: &'static [&'static str],
    /// One of these is needed.
    pub needs: &'static [&'static str],
    /// The manual's section.
    pub source: &'static str,
}

/// A row.
pub const fn needs(
    features: &'static [&'static str],
    needs: &'static [&'static str],
    source: &'static str,
) -> Dependency {
    Dependency {
        features,
        needs,
        source,
    }
}

/// Intel SDM, AMD APM; compared with feature_dependencies in QEMU's target/i386/cpu.c and cpuid_deps in Linux' arch/x86/kernel/cpu/cpuid-deps.c.
pub const ROWS: &[Dependency] = &[
    // Vectors.
    needs(&["mmx", "fxsr"], &["fpu"], "SDM vol. 1 §9.2, §10.5"),
    needs(&["mmxext", "3dnow"], &["mmx"], "APM vol. 1 §5"),
    needs(&["3dnowext"], &["3dnow"], "APM vol. 3 app. D"),
    needs(&["fxsr-opt", "sse"], &["fxsr"], "SDM vol. 1 §11.6.2"),
    needs(&["sse2", "misalignsse"], &["sse"], "SDM vol. 1 §11.6.2"),
    needs(
        &[
            "pni",
            "sse4a",
            "aes",
            "pclmulqdq",
            "sha-ni",
            "gfni",
            "key-locker",
        ],
        &["sse2"],
        "SDM vol. 1 §12.4.2, §12.13.4",
    ),
    needs(&["ssse3"], &["pni"], "SDM vol. 1 §12.7.2"),
    needs(&["sse4.1"], &["ssse3"], "SDM vol. 1 §12.12.2"),
    needs(&["sse4.2"], &["sse4.1"], "SDM vol. 1 §12.12.2"),
    needs(&["xsave"], &["fxsr"], "SDM vol. 1 §13.4.1"),
    needs(&["avx"], &["xsave"], "SDM vol. 1 §14.3"),
    needs(
        &[
            "f16c",
            "fma",
            "avx2",
            "vaes",
            "vpclmulqdq",
            "avx-vnni",
            "avx-ifma",
            "avx-vnni-int8",
            "avx-vnni-int16",
            "avx-ne-convert",
            "sha512",
            "sm3",
            "sm4",
            "avx512f",
        ],
        &["avx"],
        "SDM vol. 1 §14.4, §14.5.3, §14.7.1, §15.2",
    ),
    needs(&["xop", "fma4"], &["avx"], "APM vol. 6 §1.1"),
    needs(
        &[
            "avx512dq",
            "avx512ifma",
            "avx512pf",
            "avx512er",
            "avx512cd",
            "avx512bw",
            "avx512vl",
            "avx512vbmi",
            "avx512vbmi2",
            "avx512vnni",
            "avx512bitalg",
            "avx512-vpopcntdq",
            "avx512-4vnniw",
            "avx512-4fmaps",
            "avx512-vp2intersect",
            "avx512-bf16",
            "avx512-fp16",
            "avx512-bmm",
        ],
        &["avx512f"],
        "SDM vol. 1 §15.3",
    ),
    needs(&["avx512-fp16"], &["avx512bw"], "AVX512-FP16 specification"),
    // XSAVE.
    needs(
        &[
            "xsaveopt", "xsavec", "xgetbv1", "xsaves", "xfd", "mpx", "lwp", "apxf", "amx-tile",
        ],
        &["xsave"],
        "SDM vol. 1 §13.2",
    ),
    needs(&["apx-nci-ndd-nf"], &["apxf"], "APX specification"),
    needs(
        &["amx-bf16", "amx-int8", "amx-fp16", "amx-complex"],
        &["amx-tile"],
        "SDM vol. 1, AMX",
    ),
    // Long mode and paging.
    needs(&["lm", "nx"], &["pae"], "SDM vol. 3 §4.1.4"),
    needs(&["pse36"], &["pse"], "SDM vol. 3 §4.1.4"),
    needs(
        &[
            "la57",
            "pcid",
            "pku",
            "pks",
            "pdpe1gb",
            "fsgsbase",
            "lam",
            "lass",
            "upper-address-ignore",
        ],
        &["lm"],
        "SDM vol. 3 §4.1.4, vol. 2",
    ),
    needs(
        &[
            "lkgs",
            "fred",
            "uintr",
            "cmpccxadd",
            "user-msr",
            "sipi64",
            "apxf",
            "amx-tile",
        ],
        &["lm"],
        "SDM vol. 2: 64-bit mode alone",
    ),
    needs(&["fred"], &["lkgs"], "FRED specification"),
    needs(&["nmi-src"], &["fred"], "SDM vol. 2 CPUID.07H.01H:EAX[20]"),
    needs(
        &["cet-sss"],
        &["cet-ss"],
        "SDM vol. 2 CPUID.07H.01H:EDX[18]",
    ),
    // What lives in MSRs.
    needs(
        &[
            "sep",
            "mtrr",
            "mca",
            "lm",
            "syscall",
            "nx",
            "x2apic",
            "vmx",
            "svm",
            "tsc-adjust",
            "tsc-deadline",
        ],
        &["msr"],
        "SDM vol. 4; APM vol. 2 app. A",
    ),
    needs(
        &[
            "spec-ctrl",
            "arch-capabilities",
            "core-capability",
            "pdcm",
            "ibpb",
            "ibrs",
        ],
        &["msr"],
        "SDM vol. 4; APM vol. 2 app. A",
    ),
    needs(&["mca"], &["mce"], "SDM vol. 3, machine-check architecture"),
    needs(
        &["x2apic", "tsc-deadline", "extapic"],
        &["apic"],
        "SDM vol. 3, local APIC",
    ),
    needs(
        &["rdtscp", "invtsc", "tsc-adjust", "tsc-deadline"],
        &["tsc"],
        "SDM vol. 3, time-stamp counter",
    ),
    needs(&["dtes64", "ds-cpl"], &["ds"], "SDM vol. 3, debug store"),
    // Resource control.
    needs(&["cqm-llc"], &["cqm"], "SDM vol. 3, cache monitoring"),
    needs(
        &["cqm-occup-llc", "cqm-mbm-total", "cqm-mbm-local"],
        &["cqm-llc"],
        "SDM vol. 3, cache monitoring",
    ),
    needs(
        &["cat-l3", "cat-l2", "mba"],
        &["rdt-a"],
        "SDM vol. 3, resource allocation",
    ),
    needs(
        &["bmec"],
        &["cqm-mbm-total", "cqm-mbm-local"],
        "APM vol. 2, platform quality of service",
    ),
    needs(
        &["hwp-notify", "hwp-act-window", "hwp-epp", "hwp-pkg-req"],
        &["hwp"],
        "SDM vol. 3, hardware P-states",
    ),
    // Enclaves.
    needs(
        &["sgxlc", "sgx-keys", "sgx1", "sgx2"],
        &["sgx"],
        "SDM vol. 3, SGX enumeration",
    ),
    needs(
        &["sgx2", "sgx-edeccssa"],
        &["sgx1"],
        "SDM vol. 3, SGX enumeration",
    ),
    // AMD.
    needs(&["pfthreshold"], &["pause-filter"], "APM vol. 2 §15.14.4"),
    needs(&["x2avic"], &["avic"], "APM vol. 2 §15.29.9"),
    needs(&["sev-es"], &["sev"], "APM vol. 2 §15.35"),
    needs(&["sev-snp"], &["sev-es"], "APM vol. 2 §15.36"),
    needs(&["vmpl", "rmpquery"], &["sev-snp"], "APM vol. 2 §15.36"),
    needs(
        &["perfmon-v2"],
        &["perfctr-core"],
        "APM vol. 2, performance counters",
    ),
    needs(
        &["amd-lbr-pmc-freeze"],
        &["amd-lbr-v2"],
        "APM vol. 2, last branch records",
    ),
    needs(
        &["ibrs-always-on", "ibrs-preferred", "ibrs-same-mode"],
        &["ibrs"],
        "APM vol. 3 Fn8000_0008:EBX",
    ),
    needs(
        &["stibp-always-on"],
        &["amd-stibp"],
        "APM vol. 3 Fn8000_0008:EBX",
    ),
    needs(&["ibpb-ret"], &["ibpb"], "APM vol. 3 Fn8000_0008:EBX"),
    needs(
        &["invlpgb-nested"],
        &["invlpgb"],
        "APM vol. 3 Fn8000_0008:EBX",
    ),
];
