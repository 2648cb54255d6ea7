//! The fixed names that findings carry: of checks, and of the layers that break their word.

/// Declares an enum whose values are names. A name that this version of the program does not know reads as `Other`, so that a file of
/// a newer version can be shown; no code of this version makes one. Values are ordered by their names.
macro_rules! names {
    ($(#[$docs:meta])* $type:ident { $($(#[$variant_docs:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$docs])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_docs])* $variant,)*
            /// A name that was read and is not known here.
            Other(String),
        }

        impl $type {
            /// Every value that has a name of its own.
            pub const ALL: &[$type] = &[$($type::$variant,)*];

            /// As findings, waivers and JSON have it.
            pub fn name(&self) -> &str {
                match self {
                    $($type::$variant => $name,)*
                    $type::Other(name) => name,
                }
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> $type {
                match name {
                    $($name => $type::$variant,)*
                    _ => $type::Other(name.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &$type) -> std::cmp::Ordering {
                self.name().cmp(other.name())
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &$type) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let name = String::deserialize(deserializer)?;
                Ok($type::from(name.as_str()))
            }
        }
    };
}

names! {
    /// A check: a named rule over evidence. Waivers and `mutants/` name checks as [`CheckId::name`] does.
    CheckId {
        /// A layer that must be there is not: the dump of the guest.
        Agreement = "agreement",
        /// What is announced works, and what is hidden is refused, as far as nothing else was recorded of who runs the guest.
        Behaviour = "behaviour",
        /// No feature comes without what it is made of.
        Dependencies = "dependencies",
        /// `enforce` refuses exactly the guests of which something is filtered.
        Enforce = "enforce",
        /// The guest is as its expectation file says.
        Expectation = "expectation",
        /// QMP's `feature-words` are what the guest sees.
        FeatureWords = "feature-words",
        /// QMP's `filtered-features` are what the guest lacks.
        FilteredFeatures = "filtered-features",
        /// Caches and addresses have the same size wherever CPUID gives it, and one that can be.
        Geometry = "geometry",
        /// A host and its guests are as they were when they were recorded.
        HostBaseline = "host-baseline",
        /// All processors of the host are alike.
        HostCpus = "host-cpus",
        /// A case that does not depend on the host shows the same on all hosts.
        HostIndependence = "host-independence",
        /// The guest's CPU says that it is the one that was promised: vendor, signature, brand string, limits.
        Identity = "identity",
        /// The guest sees what KVM_SET_CPUID2 was given.
        KvmGiven = "kvm-given",
        /// KVM_GET_CPUID2 gives back what KVM_SET_CPUID2 was given.
        KvmKept = "kvm-kept",
        /// KVM_GET_SUPPORTED_CPUID offers nothing that hardware lacks and KVM does not emulate.
        KvmSupported = "kvm-supported",
        /// A table that was made for KVM announces nothing beyond KVM_GET_SUPPORTED_CPUID.
        KvmTable = "kvm-table",
        /// A leaf that describes a feature has content exactly where the feature is there.
        Leaves = "leaves",
        /// The `-cpu` argument that libvirt made is what the domain's XML asked for.
        LibvirtCommand = "libvirt-command",
        /// The domain's live XML is what the guest sees.
        LibvirtLive = "libvirt-live",
        /// A model of libvirt's `cpu_map` is QEMU's model of that name.
        LibvirtMap = "libvirt-map",
        /// Limits that CPUID states hold, and what lies beyond them answers as it must.
        Limits = "limits",
        /// A Linux guest's /proc/cpuinfo follows from its CPUID and MSRs.
        Linux = "linux",
        /// User space of a Linux guest sees CPUID as the agent does.
        LinuxCpuid = "linux-cpuid",
        /// A guest sees the same before and after migration.
        Migration = "migration",
        /// A vCPU that is plugged in after migration is its siblings' twin.
        MigrationHotPlug = "migration-hot-plug",
        /// A guest that is reset after migration is one that might have been started there.
        MigrationReset = "migration-reset",
        /// Values of MSRs agree with CPUID and with one another.
        MsrValues = "msr-values",
        /// A feature MSR can be read exactly where CPUID announces it.
        Msrs = "msrs",
        /// The guest has what its model's reviewed definition has, but for what is reported as filtered.
        Promise = "promise",
        /// One processor gives one answer to one question.
        Repeated = "repeated",
        /// Vendor, signature and brand string are of one CPU.
        Signature = "signature",
        /// Topology leaves agree with `-smp` and with one another.
        Topology = "topology",
        /// `unavailable-features` of `query-cpu-definitions` are what was filtered.
        UnavailableFeatures = "unavailable-features",
        /// Every message of QEMU is of a known form.
        Unread = "unread",
        /// Every vCPU is the boot processor's twin.
        Vcpus = "vcpus",
        /// No features that processors of this vendor cannot have.
        Vendor = "vendor",
        /// QEMU's warnings name exactly what was filtered.
        Warnings = "warnings",
        /// XSAVE components are those of the features, sizes add up, and what follows control state follows it.
        Xsave = "xsave",
    }
}

names! {
    /// A layer between hardware and guest. A finding names the one that contradicts what is expected of it.
    #[derive(Default)]
    Layer {
        /// Nobody can say which; also where two guests are compared and neither is the expected one.
        #[default]
        Unknown = "",
        /// The kernel in a Linux guest.
        GuestKernel = "guest kernel",
        /// Processors and firmware of the host.
        Hardware = "hardware",
        /// This program, or its agent in the guest.
        Harness = "harness",
        /// The host as a whole.
        Host = "host",
        /// The host's kernel without KVM.
        HostKernel = "host kernel",
        /// The host's kernel, as check `host-baseline` names it.
        Kernel = "kernel",
        /// KVM.
        Kvm = "kvm",
        /// libvirt.
        Libvirt = "libvirt",
        /// QEMU; under TCG it is the accelerator as well.
        Qemu = "qemu",
        /// Who made the table that KVM was given, where that is neither QEMU nor this program.
        Vmm = "vmm",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for check in CheckId::ALL {
            assert_eq!(&CheckId::from(check.name()), check);
        }
        for layer in Layer::ALL {
            assert_eq!(&Layer::from(layer.name()), layer);
        }
    }

    #[test]
    fn a_name_that_is_not_known_is_kept() {
        let check: CheckId = serde_json::from_str("\"newer\"").expect("a string");
        assert_eq!(check, CheckId::Other("newer".to_owned()));
        assert_eq!(serde_json::to_string(&check).expect("JSON"), "\"newer\"");
    }

    #[test]
    fn values_are_ordered_by_name() {
        assert!(CheckId::ALL.is_sorted() && Layer::ALL.is_sorted());
        assert!(CheckId::Other("aa".to_owned()) < CheckId::Agreement);
    }
}
