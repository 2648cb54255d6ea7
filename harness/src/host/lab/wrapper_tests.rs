use super::*;

/// A folder with a script `wrapper` of this text, in which `HERE` stands for the folder.
fn read(text: &str) -> (tempfile::TempDir, Result<Wrapper, WrapperError>) {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a path");
    fs::write(here.join("data.cfg"), "x").expect("a file");
    fs::write(here.join("other"), "#!/bin/sh\nexec cat\n").expect("a file");
    let text = text.replace("HERE", &here.display().to_string());
    fs::write(here.join("wrapper"), text).expect("a file");
    let read = Wrapper::read(&here.join("wrapper"));
    (folder, read)
}

fn refusal(text: &str) -> String {
    let (folder, read) = read(text);
    let here = folder.path().canonicalize().expect("a path");
    let message = read.expect_err("a refusal").to_string();
    message.replace(&here.display().to_string(), "HERE")
}

#[test]
fn shell_programs_files_and_scripts_are_taken_with_the_links_to_them() {
    let (folder, read) =
        read("#!/bin/sh\nexec HERE/other \"$@\" -readconfig HERE/data.cfg -L HERE $EXTRA\n");
    let wrapper = read.expect("a wrapper");
    let here = folder.path().canonicalize().expect("a path");
    let files = ["data.cfg", "other", "wrapper"].map(|name| here.join(name));
    assert_eq!(wrapper.files, files.into());
    assert_eq!(wrapper.folders, [here].into());
    assert_eq!(wrapper.variables, ["EXTRA".to_owned()].into());
    let shell = Path::new("/bin/sh").canonicalize().expect("a shell");
    let cat = in_path("cat").expect("cat").canonicalize().expect("cat");
    assert_eq!(wrapper.programs, [shell.clone(), cat].into());
    let led = wrapper.links.values().any(|target| *target == shell);
    assert!(led || shell == Path::new("/bin/sh"), "{wrapper:?}");
}

#[test]
fn an_elf_file_is_taken_as_it_is() {
    let wrapper = Wrapper::read(Path::new("/bin/sh")).expect("a program");
    assert_eq!(wrapper.programs.len(), 1);
    assert!(wrapper.files.is_empty());
}

#[test]
fn what_the_lab_has_of_its_own_need_not_be_there() {
    let (_folder, read) = read("#!/bin/sh\necho > /dev/null; echo > /tmp/no-such-file\n");
    let wrapper = read.expect("a wrapper");
    assert_eq!(wrapper.files.len(), 1);
}

#[test]
fn a_script_in_path_is_taken_where_it_is_a_command_alone() {
    let is_script = |path: &PathBuf| matches!(kind(path), Ok(Kind::Script));
    // Of libc-bin, a script for bash.
    let Some(ldd) = in_path("ldd").filter(is_script) else {
        return;
    };
    let files = |text: &str| read(text).1.map(|wrapper| wrapper.files);
    let argument = files("#!/bin/sh\necho 'see ldd'\n").expect("a wrapper");
    assert_eq!(argument.len(), 1);
    match files("#!/bin/sh\nldd /bin/sh\n") {
        Ok(files) => assert_eq!(files.len(), 2),
        Err(error) => assert!(
            error
                .to_string()
                .starts_with(&*ldd.canonicalize().expect("ldd").to_string_lossy()),
            "{error}"
        ),
    }
}

#[test]
fn what_cannot_be_taken_is_refused_with_the_reason() {
    for (text, reason) in [
        (
            "#!/no/such/shell\n",
            "its interpreter “/no/such/shell” is not there; name one that is, as #!/bin/sh",
        ),
        (
            "#!/usr/bin/env no-such-shell\n",
            "its interpreter “no-such-shell” is not there; name one that is, as #!/bin/sh",
        ),
        (
            "#!/usr/bin/env cat\n",
            "it is a script for cat, which reads files of its own that nothing lists; write it for sh",
        ),
        (
            "#!/bin/sh\nexec /no/such/qemu \"$@\"\n",
            "it names /no/such/qemu, and nothing is there",
        ),
        (
            "#!/bin/sh\nexec ./qemu \"$@\"\n",
            "it names ./qemu, which depends on the working folder; name the file by its absolute path",
        ),
        (
            "exec qemu",
            "it is no ELF file, and does not begin with “#!”",
        ),
    ] {
        assert_eq!(
            refusal(text),
            format!("HERE/wrapper cannot be taken into a lab: {reason}")
        );
    }
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().canonicalize().expect("a path");
    let disk = fs::File::create(here.join("disk")).expect("a file");
    disk.set_len(LARGEST + 1).expect("a size");
    let text = format!("#!/bin/sh\nexec cat {}/disk\n", here.display());
    fs::write(here.join("wrapper"), text).expect("a file");
    let error = Wrapper::read(&here.join("wrapper")).expect_err("a refusal");
    let message = error.to_string();
    assert!(
        message.ends_with("disk cannot be taken into a lab: it has 16777217 bytes, and 16777216 is the most that is taken"),
        "{message}"
    );
}
