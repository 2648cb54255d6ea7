//! What of a domain's XML is not read and could matter to the CPU.

use roxmltree::Node;

use crate::vmm::libvirt::setting::ROWS;

/// Elements and attributes that are read beside those of [`ROWS`].
const READ: [&str; 33] = [
    "@type",
    "vcpu",
    "vcpu@current",
    "os",
    "os/type",
    "os/type@arch",
    "os/type@machine",
    "clock",
    "devices",
    "features",
    "cpu",
    "cpu@mode",
    "cpu@match",
    "cpu@check",
    "cpu@migratable",
    "cpu/model",
    "cpu/model@fallback",
    "cpu/model@vendor_id",
    "cpu/vendor",
    "cpu/topology",
    "cpu/topology@sockets",
    "cpu/topology@dies",
    "cpu/topology@clusters",
    "cpu/topology@cores",
    "cpu/topology@threads",
    "cpu/cache",
    "cpu/cache@level",
    "cpu/cache@mode",
    "cpu/maxphysaddr",
    "cpu/maxphysaddr@mode",
    "cpu/maxphysaddr@bits",
    "cpu/maxphysaddr@limit",
    "cpu/feature",
];

/// Elements with all that is in them, and attributes, that have no part in what the CPU is; a `*` at the end stands for any end.
const HARMLESS: [&str; 57] = [
    "@id",
    "name",
    "uuid",
    "title",
    "description",
    "metadata",
    "genid",
    "memory",
    "currentMemory",
    "maxMemory",
    "memoryBacking",
    "memtune",
    "blkiotune",
    "cputune",
    "numatune",
    "iothreads",
    "iothreadids",
    "defaultiothread",
    "throttlegroups",
    "resource",
    "sysinfo",
    "seclabel",
    "idmap",
    "perf",
    "pm",
    "on_*",
    "bootloader*",
    "vcpu@placement",
    "vcpu@cpuset",
    "os@firmware",
    "os/type/*",
    "os/boot*",
    "os/loader",
    "os/nvram*",
    "os/firmware*",
    "os/kernel",
    "os/initrd",
    "os/cmdline",
    "os/shim",
    "os/dtb",
    "os/acpi",
    "os/bios",
    "os/smbios",
    "os/init*",
    "cpu/feature@*",
    "cpu/numa",
    "clock@*",
    "clock/timer[name=rtc]",
    "clock/timer[name=pit]",
    "clock/timer[name=platform]",
    "features/acpi",
    "features/pae",
    "features/vmcoreinfo",
    "features/smm/*",
    "features/tcg",
    "qemu:commandline",
    "qemu:override",
];

/// Devices that have a part in what the CPU is: any other has none.
const DEVICES: [&str; 1] = ["devices/iommu"];

/// Attributes of any timer that only say how late ticks are delivered.
const TICKS: [&str; 2] = ["tickpolicy", "track"];

/// Of a `<domain>` or a lone `<cpu>`: `cpu/pages`, `clock/timer[name=tsc]@mode`; each once, in the order of the XML.
pub(super) fn unread(root: Node<'_, '_>) -> Vec<String> {
    let path = if root.has_tag_name("cpu") { "cpu" } else { "" };
    let mut found = Vec::new();
    walk(root, path, &mut found);
    found
}

fn walk(element: Node<'_, '_>, path: &str, found: &mut Vec<String>) {
    let mut note = |name: String| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    for attribute in element.attributes() {
        let name = attribute.name();
        if !is_known_attribute(path, name) {
            note(format!("{path}@{name}"));
        }
    }
    for child in element.children().filter(Node::is_element) {
        let path = join(path, &segment(path, child));
        if is_harmless(&path) {
            continue;
        }
        if is_read(&path) {
            walk(child, &path, found);
        } else if !found.contains(&path) {
            found.push(path);
        }
    }
}

fn join(path: &str, segment: &str) -> String {
    if path.is_empty() {
        segment.to_owned()
    } else {
        format!("{path}/{segment}")
    }
}

/// A child's name, with the attribute that tells it apart where [`ROWS`] have one.
fn segment(path: &str, child: Node<'_, '_>) -> String {
    let tag = child.tag_name();
    let name = tag.name();
    let key = match (path, name) {
        ("clock", "timer") => "name",
        ("devices", "panic") => "model",
        _ if tag
            .namespace()
            .is_some_and(|space| space.contains("/qemu/")) =>
        {
            return format!("qemu:{name}");
        }
        _ => return name.to_owned(),
    };
    format!("{name}[{key}={}]", child.attribute(key).unwrap_or_default())
}

fn is_read(path: &str) -> bool {
    let below = |row: &str| {
        row == path
            || row
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    READ.contains(&path) || ROWS.iter().any(|row| below(row.path))
}

fn is_harmless(path: &str) -> bool {
    let device = path.starts_with("devices/") && !is_read(path) && !DEVICES.contains(&path);
    device || HARMLESS.iter().any(|known| covers(known, path))
}

fn is_known_attribute(path: &str, name: &str) -> bool {
    let whole = format!("{path}@{name}");
    let tells_apart = path.contains(&format!("[{name}="));
    let ticks = path.starts_with("clock/timer") && TICKS.contains(&name);
    let row = ROWS
        .iter()
        .any(|row| row.path == path && row.attribute == name);
    let known =
        READ.contains(&whole.as_str()) || HARMLESS.iter().any(|known| covers(known, &whole));
    tells_apart || ticks || row || known
}

fn covers(known: &str, name: &str) -> bool {
    match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => known == name,
    }
}

#[cfg(test)]
mod tests {
    use crate::evidence::libvirt::domain::DomainXml;

    fn found(text: &str) -> Vec<String> {
        DomainXml::read(text).expect("a domain").unread
    }

    #[test]
    fn what_could_matter_is_named_once_and_devices_are_not() {
        let text = "<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>a</name><vcpu placement='static'>1</vcpu>\
            <vcpus><vcpu id='0'/></vcpus><os firmware='efi'><type arch='x86_64'>hvm</type><kernel>/k</kernel></os>\
            <features><acpi/><hyperv><relaxed state='on'/><later state='on'/></hyperv><later/></features>\
            <cpu later='1'><model>EPYC</model><later/><topology sockets='1' cores='1' threads='1' tiles='1'/></cpu>\
            <clock offset='utc'><timer name='rtc' tickpolicy='catchup'/><timer name='tsc' mode='native'/></clock>\
            <devices><disk/><serial/><disk/><iommu model='intel'/><panic model='isa'/></devices><launchSecurity type='sev'/>\
            <qemu:commandline><qemu:arg value='-S'/><qemu:env name='a'/></qemu:commandline>\
            <qemu:capabilities><qemu:del capability='x'/></qemu:capabilities></domain>";
        let wanted = [
            "vcpus",
            "features/hyperv/later",
            "features/later",
            "cpu@later",
            "cpu/later",
            "cpu/topology@tiles",
            "clock/timer[name=tsc]@mode",
            "devices/iommu",
            "launchSecurity",
            "qemu:capabilities",
        ];
        assert_eq!(found(text), wanted);
        assert_eq!(
            found("<cpu><model>max</model><arch>x</arch></cpu>"),
            ["cpu/arch"]
        );
    }
}
