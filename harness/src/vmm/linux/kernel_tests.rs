use super::*;

/// A file with nothing of a bzImage but its release.
pub fn image(release: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20E..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    bytes.truncate(0x300);
    bytes.extend(format!("{release} (builder) #1 SMP\0").bytes());
    bytes
}

/// A folder with these files; a name that ends with a slash is a folder.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = root.path().join(name);
        let parent = if name.ends_with('/') {
            &path
        } else {
            path.parent().expect("a folder")
        };
        std::fs::create_dir_all(parent).expect("a folder");
        if !name.ends_with('/') {
            std::fs::write(&path, bytes).expect("a file");
        }
    }
    root
}

fn message(error: Result<Kernel, KernelError>, root: &Path) -> String {
    let text = error.expect_err("an error").to_string();
    text.replace(&root.display().to_string(), "ROOT")
}

const ONE: &str = "6.1.0-50-cloud-amd64";
const SPLIT: &str = "7.3.4+deb13-cloud-amd64";

#[test]
fn a_release_that_is_no_plain_name_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("vmlinuz");
    for release in ["/some/folder/x", "../../x", ".hidden", "6.12/../../x"] {
        std::fs::write(&path, image(release)).expect("an image");
        let error = Kernel::find(&path, None).expect_err("an error").to_string();
        assert!(
            error.contains(&format!("says that its release is {release:?}")),
            "{error}"
        );
    }
}

#[test]
fn a_package_in_one_piece_is_found() {
    let image = image(ONE);
    let root = folder(&[
        ("boot/vmlinuz-6.1.0-50-cloud-amd64", &image),
        (
            "boot/config-6.1.0-50-cloud-amd64",
            b"# CONFIG_KVM_XEN is not set\nCONFIG_KVM_AMD=m\n",
        ),
        ("lib/modules/6.1.0-50-cloud-amd64/kernel/", b""),
    ]);
    let kernel = Kernel::find(root.path(), None).expect("a kernel");
    assert_eq!(
        (kernel.release.as_str(), kernel.version()),
        (ONE, Some((6, 1)))
    );
    assert_eq!(kernel.label(), "linux-6.1");
    assert_eq!(
        kernel.modules,
        Some(root.path().join("lib/modules").join(ONE))
    );
    let options = kernel.options().expect("a configuration");
    assert_eq!(options.get("CONFIG_KVM_AMD").map(String::as_str), Some("m"));
    assert_eq!(options.get("CONFIG_KVM_XEN"), None);
    let by_image = Kernel::find(&kernel.image, None).expect("a kernel");
    assert_eq!(by_image, kernel);
}

#[test]
fn a_split_package_is_found() {
    let image = image(SPLIT);
    let below = format!("usr/lib/modules/{SPLIT}");
    let root = folder(&[
        (&format!("{below}/vmlinuz"), &image),
        (&format!("{below}/config"), b"CONFIG_KVM=y\n"),
        (&format!("{below}/modules.builtin"), b""),
    ]);
    let kernel = Kernel::find(root.path(), None).expect("a kernel");
    assert_eq!(kernel.modules, Some(root.path().join(&below)));
    assert_eq!(kernel.config, Some(root.path().join(below).join("config")));
    let by_image = Kernel::find(&kernel.image, None).expect("a kernel");
    assert_eq!(by_image, kernel);
}

#[test]
fn a_build_tree_is_found_with_and_without_modules() {
    let image = image("7.3.0-rc1");
    let files: [(&str, &[u8]); 3] = [
        ("arch/x86/boot/bzImage", &image),
        (".config", b"CONFIG_KVM=y\n"),
        ("kernel/sched/", b""),
    ];
    let root = folder(&files);
    let kernel = Kernel::find(root.path(), None).expect("a kernel");
    assert_eq!(kernel.modules, None);
    assert!(kernel.config.is_some());
    std::fs::write(root.path().join("modules.order"), "arch/x86/kvm/kvm.o\n").expect("a file");
    let kernel = Kernel::find(root.path(), None).expect("a kernel");
    assert_eq!(kernel.modules.as_deref(), Some(root.path()));
    let installed = folder(&[("lib/modules/7.3.0-rc1/modules.dep", b"")]);
    let kernel = Kernel::find(root.path(), Some(installed.path())).expect("a kernel");
    assert_eq!(
        kernel.modules,
        Some(installed.path().join("lib/modules/7.3.0-rc1"))
    );
}

#[test]
fn modules_are_named_by_their_folder_or_one_above() {
    let image = image(ONE);
    let root = folder(&[("vmlinuz", &image)]);
    let modules = folder(&[("lib/modules/6.1.0-50-cloud-amd64/modules.order", b"")]);
    let exact = modules.path().join("lib/modules").join(ONE);
    for named in [
        modules.path(),
        &modules.path().join("lib/modules"),
        exact.as_path(),
    ] {
        let kernel = Kernel::find(&root.path().join("vmlinuz"), Some(named)).expect("a kernel");
        assert_eq!(kernel.modules.as_ref(), Some(&exact));
    }
}

#[test]
fn modules_of_another_version_are_reported() {
    let image = image(SPLIT);
    let root = folder(&[
        ("vmlinuz", &image),
        ("other/lib/modules/6.1.0-50-cloud-amd64/modules.order", b""),
        ("empty/", b""),
    ]);
    let find =
        |named: &str| Kernel::find(&root.path().join("vmlinuz"), Some(&root.path().join(named)));
    assert_eq!(
        message(find("other"), root.path()),
        format!("modules of another version: ROOT/other has those of {ONE}, the kernel is {SPLIT}")
    );
    assert_eq!(
        message(find("empty"), root.path()),
        "no kernel modules in ROOT/empty: neither is it a folder of lib/modules, nor does it hold one"
    );
    assert!(message(find("nowhere"), root.path()).starts_with("failed to read ROOT/nowhere: "));
}

#[test]
fn what_is_no_kernel_is_reported() {
    let root = folder(&[("boot/vmlinuz-1", b"MZ"), ("empty/", b"")]);
    assert_eq!(
        message(Kernel::find(root.path(), None), root.path()),
        "ROOT/boot/vmlinuz-1 is no bzImage: the signature “HdrS” at 202H is missing"
    );
    let empty = message(Kernel::find(&root.path().join("empty"), None), root.path());
    assert!(
        empty.starts_with("no kernel image in ROOT/empty: "),
        "{empty}"
    );
    let two = folder(&[
        ("boot/vmlinuz-6.1", &image("6.1.1")),
        ("boot/vmlinuz-6.2", &image("6.2.1")),
    ]);
    let several = message(Kernel::find(two.path(), None), two.path());
    assert!(
        several.starts_with("2 kernel images in ROOT: name one"),
        "{several}"
    );
}
