use std::path::Path;

use super::*;

/// An ELF file with a section .modinfo and nothing else.
fn module(depends: &str, release: &str) -> Vec<u8> {
    let information =
        format!("license=GPL\0depends={depends}\0vermagic={release} SMP mod_unload \0")
            .into_bytes();
    let names = b"\0.modinfo\0.shstrtab\0";
    let names_at = 64 + information.len();
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..24].copy_from_slice(&[1, 0, 62, 0, 1, 0, 0, 0]);
    bytes[40..48].copy_from_slice(&((names_at + names.len()) as u64).to_le_bytes());
    bytes[52..64].copy_from_slice(&[64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    bytes.extend(&information);
    bytes.extend(names);
    let mut section = |name: u32, kind: u32, at: usize, size: usize| {
        let mut header = vec![0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        bytes.extend(header);
    };
    section(0, 0, 0, 0);
    section(1, 1, 64, information.len());
    section(10, 3, names_at, names.len());
    bytes
}

const RELEASE: &str = "6.1.0-test";

struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new(files: &[(&str, Vec<u8>)]) -> Tree {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("a file");
        }
        Tree { folder }
    }

    fn modules(&self) -> Modules {
        let kernel = Kernel {
            release: RELEASE.to_owned(),
            image: "vmlinuz".into(),
            modules: Some(self.folder.path().to_owned()),
            config: None,
        };
        Modules::read(&kernel).expect("modules")
    }

    fn loaded(&self, names: &[&str]) -> Vec<String> {
        let modules = self.modules().with_dependencies(names).expect("modules");
        modules.into_iter().map(|module| module.name).collect()
    }

    fn error(&self, names: &[&str]) -> String {
        let error = self
            .modules()
            .with_dependencies(names)
            .expect_err("an error");
        let root = self.folder.path().display().to_string();
        error.to_string().replace(&root, "ROOT")
    }
}

fn kvm() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("kernel/arch/x86/kvm/kvm-amd.ko", module("kvm,ccp", RELEASE)),
        ("kernel/arch/x86/kvm/kvm.ko", module("irqbypass", RELEASE)),
        ("kernel/virt/lib/irqbypass.ko", module("", RELEASE)),
        (
            "modules.builtin",
            b"kernel/drivers/crypto/ccp/ccp.ko\n".to_vec(),
        ),
    ]
}

#[test]
fn a_chain_of_very_many_modules_is_an_error_and_no_overflow() {
    let names: Vec<String> = (0..200)
        .map(|number| format!("kernel/m{number}.ko"))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .zip(1..)
        .map(|(name, next)| (name.as_str(), module(&format!("m{next}"), RELEASE)))
        .collect();
    let error = Tree::new(&files).error(&["m0"]);
    assert!(
        error.starts_with("m64 is one of more than 64 modules"),
        "{error}"
    );
}

#[test]
fn dependencies_come_first_and_what_is_built_in_is_left_out() {
    let order = ["irqbypass", "kvm", "kvm_amd"];
    assert_eq!(Tree::new(&kvm()).loaded(&["kvm-amd"]), order);
    assert_eq!(Tree::new(&kvm()).loaded(&["kvm", "kvm_amd"]), order);
}

#[test]
fn modules_dep_tells_where_they_are() {
    let mut files = kvm();
    files.push((
        "modules.dep",
        b"extra/odd.ko: kernel/virt/lib/irqbypass.ko\nkernel/virt/lib/irqbypass.ko:\n".to_vec(),
    ));
    files.push(("extra/odd.ko", module("irqbypass", RELEASE)));
    let tree = Tree::new(&files);
    assert_eq!(tree.loaded(&["odd"]), ["irqbypass", "odd"]);
    assert!(!tree.modules().has_file("kvm"));
}

#[test]
fn a_build_tree_lists_its_objects() {
    let tree = Tree::new(&[
        ("arch/x86/boot/bzImage", Vec::new()),
        ("arch/x86/kvm/kvm.ko", module("", RELEASE)),
        ("modules.order", b"arch/x86/kvm/kvm.o\n".to_vec()),
    ]);
    assert_eq!(tree.loaded(&["kvm"]), ["kvm"]);
}

#[test]
fn a_missing_dependency_is_reported_with_who_needs_it() {
    let mut files = kvm();
    files.retain(|(name, _)| !name.contains("irqbypass"));
    assert_eq!(
        Tree::new(&files).error(&["kvm_amd"]),
        "no module irqbypass, which kvm needs, in ROOT, and it is not built in"
    );
}

#[test]
fn a_module_of_another_version_is_reported() {
    let files = [("kvm.ko", module("", "6.12.0-other"))];
    assert_eq!(
        Tree::new(&files).error(&["kvm"]),
        "modules of another version: ROOT/kvm.ko was built for 6.12.0-other, the kernel is 6.1.0-test"
    );
}

#[test]
fn an_unknown_compression_and_a_broken_file_are_reported() {
    let files = [
        ("a.ko.lz4", vec![1]),
        ("b.ko.xz", vec![1]),
        ("c.ko", b"#!/bin/sh".to_vec()),
    ];
    let tree = Tree::new(&files);
    assert_eq!(
        tree.error(&["a"]),
        "ROOT/a.ko.lz4: unknown compression “lz4”; .gz, .xz and .zst are known"
    );
    assert!(
        tree.error(&["b"])
            .starts_with("ROOT/b.ko.xz: failed to unpack: ")
    );
    assert!(tree.error(&["c"]).starts_with("ROOT/c.ko: "));
}

/// The kernels that scripts/fetch-kernel brought: one package and split ones, .ko and .ko.xz.
#[test]
fn the_kvm_of_every_fetched_kernel_is_found() {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/kernels");
    let folders = std::fs::read_dir(cache).into_iter().flatten().flatten();
    let mut seen = 0;
    for folder in folders
        .filter(|folder| folder.path().join("boot").is_dir() || folder.path().join("usr").is_dir())
    {
        let kernel = Kernel::find(&folder.path(), None).expect("a kernel");
        let modules = Modules::read(&kernel).expect("modules");
        let loaded = modules.with_dependencies(&["kvm_amd"]).expect("kvm_amd");
        let names: Vec<_> = loaded.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names.last(), Some(&"kvm_amd"), "{}", kernel.release);
        assert!(names.contains(&"kvm"), "{}", kernel.release);
        let options = kernel.options().expect("a configuration");
        assert_eq!(options["CONFIG_KVM_AMD"], "m");
        seen += 1;
    }
    if seen == 0 {
        eprintln!("SKIP: no kernel in .cache/kernels; scripts/fetch-kernel brings them");
    }
}
