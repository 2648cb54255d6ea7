//! Files of kernels: images, ELF files, modules and their lists.

use std::path::Path;

use cpuid_fidelity::vmm::linux::elf::{linking, loaded_part, module_information};
use cpuid_fidelity::vmm::linux::packed::{unpacked_module, unpacked_payload};
use cpuid_fidelity::vmm::linux::vmlinux::{unpacked_image, vmlinux};
use cpuid_fidelity::vmm::linux::{Kernel, Modules, Names};

use super::images::{elf, images, module, program, samples};
use super::seeds::written;
use crate::execute::Reader;
use crate::mutate::Shape;

pub const READERS: &[Reader] = &[
    Reader {
        name: "kernel-image",
        shape: Shape::Bytes,
        seeds: images,
        executions: 200,
        read: read_image,
    },
    Reader {
        name: "kernel-release",
        shape: Shape::Bytes,
        seeds: images,
        executions: 200,
        read: |bytes| Kernel::find(&written("boot/vmlinuz", bytes), None).is_ok(),
    },
    Reader {
        name: "kernel-names",
        shape: Shape::Bytes,
        seeds: || vec![elf()],
        executions: 500,
        read: |bytes| Names::read(bytes).is_some(),
    },
    Reader {
        name: "elf",
        shape: Shape::Bytes,
        seeds: || vec![elf(), module(), program()],
        executions: 300,
        read: read_elf,
    },
    Reader {
        name: "compressed",
        shape: Shape::Bytes,
        seeds: || samples().into_iter().map(|(_, bytes)| bytes).collect(),
        executions: 300,
        read: |bytes| unpacked_payload(bytes).is_ok(),
    },
    Reader {
        name: "module-file",
        shape: Shape::Bytes,
        seeds: || samples().into_iter().map(|(_, bytes)| bytes).collect(),
        executions: 60,
        read: read_module,
    },
    Reader {
        name: "module-lists",
        shape: Shape::Text,
        seeds: || {
            vec![
                DEPENDENCIES.to_vec(),
                b"kernel/arch/x86/kvm/kvm.ko\n".to_vec(),
            ]
        },
        executions: 200,
        read: read_lists,
    },
];

const DEPENDENCIES: &[u8] = b"kernel/arch/x86/kvm/kvm-amd.ko.xz: kernel/arch/x86/kvm/kvm.ko.xz\nkernel/arch/x86/kvm/kvm.ko.xz:\n";

fn read_image(bytes: &[u8]) -> bool {
    let _ = vmlinux(bytes);
    let elf = unpacked_image(bytes);
    let _ = elf.as_ref().map(|elf| Names::read(elf));
    elf.is_ok()
}

fn read_elf(bytes: &[u8]) -> bool {
    let _ = module_information(bytes);
    let _ = loaded_part(bytes);
    linking(bytes).is_ok()
}

fn read_module(bytes: &[u8]) -> bool {
    let endings = ["ko.gz", "ko.xz", "ko.zst", "ko"];
    let unpacked = |ending| unpacked_module(&written(&format!("kvm.{ending}"), bytes)).is_ok();
    endings.map(unpacked).contains(&true)
}

fn read_lists(bytes: &[u8]) -> bool {
    let list = written("modules/modules.dep", bytes);
    written("modules/modules.builtin", bytes);
    let kernel = Kernel {
        release: "6.12.1".to_owned(),
        image: "/nonexistent".into(),
        modules: list.parent().map(Path::to_owned),
        config: Some(list),
    };
    let _ = kernel.options();
    let modules = Modules::read(&kernel);
    let modules = modules.map(|modules| modules.with_dependencies(&["kvm_amd"]).is_ok());
    modules.is_ok()
}
