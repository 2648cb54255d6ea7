use super::*;

fn plan(repo: &Path) -> Plan {
    Plan {
        version: VERSION,
        here: "/".into(),
        repo: repo.to_owned(),
        good: "a".repeat(40),
        bad: "b".repeat(40),
        target: "definition/-/-/EPYC-v4".parse().expect("a case"),
        feature: None,
        expected: None,
        build: Build {
            command: Some("true".to_owned()),
            product: "qemu".into(),
            modules: None,
        },
        lab: Vec::new(),
    }
}

fn step(commit: &str) -> Step {
    Step {
        commit: commit.to_owned(),
        outcome: Outcome::Unbuilt {
            reason: "no".to_owned(),
        },
        verdict: Some(Verdict::Untestable),
        seconds: 0.5,
    }
}

#[test]
fn the_same_plan_goes_on_and_another_does_not() {
    let cache = tempfile::tempdir().expect("a folder");
    let one = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    one.add(&step("c1")).expect("kept");
    drop(one);
    let again = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    assert_eq!(again.steps(), [step("c1")]);
    let in_step = State::open_step(again.folder()).expect("a state");
    assert_eq!(in_step.plan, again.plan);
    assert!(!in_step.holds_lock() && again.holds_lock());
    drop(again);
    let mut other = plan(Path::new("/repo"));
    other.feature = Some("avx2".to_owned());
    let other = State::open(cache.path(), other).expect("a state");
    assert!(other.steps().is_empty());
}

#[test]
fn a_line_that_was_cut_off_is_left_out() {
    let cache = tempfile::tempdir().expect("a folder");
    let state = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    state.add(&step("c1")).expect("kept");
    let path = state.folder().join(STEPS);
    let text = fs::read_to_string(&path).expect("steps");
    fs::write(&path, format!("{text}{}", &text[..20])).expect("a file");
    assert_eq!(state.steps(), [step("c1")]);
    state.add(&step("c2")).expect("kept");
    assert_eq!(state.steps(), [step("c1"), step("c2")]);
}

#[test]
fn a_bisect_of_another_format_is_removed_and_said() {
    let cache = tempfile::tempdir().expect("a folder");
    let old = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    let folder = old.folder().to_owned();
    let text = json(&old.plan).replace("\"version\":2", "\"version\":1");
    fs::write(folder.join(PLAN), text).expect("a file");
    drop(old);
    let error = State::open_step(&folder)
        .expect_err("another format")
        .to_string();
    let wanted = "has format 1, and this program reads format 2: start it anew";
    assert!(error.ends_with(wanted), "{error}");
    let again = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    assert_eq!(again.outdated, [folder]);
    assert!(again.steps().is_empty());
}

#[test]
fn two_at_once_are_refused() {
    let cache = tempfile::tempdir().expect("a folder");
    let _one = State::open(cache.path(), plan(Path::new("/repo"))).expect("a state");
    let error = State::open(cache.path(), plan(Path::new("/repo"))).expect_err("locked");
    assert_eq!(
        error.to_string(),
        "another bisect is under way in /repo; where it was killed, its last build may still run"
    );
}

#[test]
fn a_folder_without_a_plan_is_an_error() {
    let error = State::open_step(Path::new("/nowhere")).expect_err("none");
    assert_eq!(error.to_string(), "no bisect is kept in /nowhere");
}
