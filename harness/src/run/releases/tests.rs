use super::*;
use crate::case::Qemu;
use crate::case::offers::Offers;
use crate::config::Config;

const SNAPSHOT: &str = "---\nsource: a test\n---\n";

fn qemu(version: &str) -> std::sync::Arc<Qemu> {
    std::sync::Arc::new(Qemu {
        path: "/opt/qemu".into(),
        label: format!("qemu-{version}"),
        offers: std::sync::Arc::new(Offers {
            version: version.to_owned(),
            ..Offers::default()
        }),
    })
}

fn pair(old: &str, new: &str) -> Pair {
    Pair {
        old: qemu(old),
        new: qemu(new),
    }
}

/// A store with empty files of these pairs.
fn store(pairs: &[&str]) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let releases = folder.path().join("expectations/releases");
    std::fs::create_dir_all(&releases).expect("a folder");
    for name in pairs {
        let path = releases.join(format!("{name}.snap"));
        std::fs::write(path, format!("{SNAPSHOT}no differences\n")).expect("a file");
    }
    let config = Config::built_in(folder.path(), folder.path()).expect("a configuration");
    let store = Store::open(&config).expect("the tables");
    (folder, store)
}

fn way(store: &Store, old: &str, new: &str) -> Vec<String> {
    let path = Path::new("releases/unknown.snap");
    let steps = steps(store, path, &pair(old, new));
    let name = |step: &PathBuf| {
        step.file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    steps.iter().map(name).collect()
}

#[test]
fn files_of_neighbours_tell_of_releases_further_apart() {
    let (_folder, store) = store(&["5.2..7.2", "7.2..10.0", "10.0..11.1", "7.2..10.0+smp=8"]);
    assert_eq!(way(&store, "7.2.1", "11.1.3"), ["7.2..10.0", "10.0..11.1"]);
    assert_eq!(way(&store, "7.2.1", "10.0.9"), ["7.2..10.0"]);
    assert!(way(&store, "7.2.1", "9.2.0").is_empty());
    assert!(way(&store, "11.1.0", "7.2.1").is_empty());
}

#[test]
fn a_point_release_is_held_against_the_newest_one() {
    assert_eq!(
        pair("10.0.2", "10.0.13").nodes(),
        ("10.0.2".to_owned(), "10.0.x".to_owned())
    );
    assert_eq!(
        pair("10.0.2", "11.1.3").nodes(),
        ("10.0".to_owned(), "11.1".to_owned())
    );
}

#[test]
fn what_changes_on_the_boot_processor_changes_on_the_others_that_tell_it() {
    let line = |text: &str| Line::read(text).expect("a line");
    let lines = [
        line("state os-enabled.xcr0           xcr0 = 0xe7"),
        line("vcpu   1: state os-enabled.xcr0           xcr0 = 0xe7"),
        line("vcpu   2: state os-enabled.cr4            cr4 = 0x20"),
    ];
    let after = [line("state os-enabled.xcr0           xcr0 = 0x7")];
    let changes = compare(&lines[..1], &after, crate::check::Layer::Qemu);
    let shifts: Vec<Shift> = changes.iter().flat_map(Shift::halves).collect();
    let all = everywhere(&shifts.iter().collect(), &lines);
    let shifted_lines: Vec<String> = shifted(&lines, &all.iter().collect())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shifted_lines,
        [
            "vcpu   2: state os-enabled.cr4            cr4 = 0x20",
            "state os-enabled.xcr0           xcr0 = 0x7",
            "vcpu   1: state os-enabled.xcr0           xcr0 = 0x7",
        ]
    );
}
