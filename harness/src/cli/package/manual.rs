//! Man pages: one of the program, one of each verb. Names, options and their texts are those of the help.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// What stands at the foot of each page.
const VERSION: &str = concat!("cpuid-fidelity ", env!("CPUID_FIDELITY_VERSION"));
/// The day of the commit, so that the same source gives the same pages; empty where nobody says it.
const DATE: &str = env!("CPUID_FIDELITY_DATE");

type Rows = &'static [(&'static str, &'static str)];

const EXIT_STATUS: Rows = &[
    ("0", "All guests are as promised."),
    ("1", "There are findings."),
    ("2", "The command line or the configuration is wrong."),
    (
        "3",
        "Something could not be run, or nothing was compared. It wins over 1.",
    ),
];

/// Of `bisect step`, which `git bisect run` calls.
const STEP_STATUS: Rows = &[
    ("0", "The commit is good."),
    ("1", "The commit is bad."),
    ("125", "The commit cannot be tested."),
    ("128", "Anything else. It ends the bisect."),
];

const FILES: Rows = &[
    (
        "fidelity.toml",
        "The configuration: the one in this folder, else in the nearest folder above it, else the one that is built into the program.",
    ),
    (
        "~/.cache/cpuid-fidelity",
        "Where there is no fidelity.toml: what can be had again, as the answers of each QEMU, and the nights' results. QEMU releases \
         in qemu/*/qemu-system-x86_64 there are tested, and kernels in kernels/ are booted.",
    ),
];

/// Variables that are no option's.
const VARIABLES: Rows = &[
    ("XDG_CACHE_HOME", "The folder that stands for ~/.cache."),
    (
        "CI",
        "Set, not empty and not false: a release of QEMU without expectations is a failure instead of a skip.",
    ),
];

/// A page: its file's name, and its text.
pub type Page = (String, Vec<u8>);

/// The page of the program, and those of all its verbs.
///
/// # Errors
/// None that is known: the text is written into memory.
pub fn pages(command: Command) -> io::Result<Vec<Page>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, None, &mut pages)?;
    Ok(pages)
}

/// Adds the pages of a verb and of the verbs below it.
fn add(command: &Command, above: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = name(command);
    pages.push((format!("{name}.1"), page(command, above)?));
    for verb in shown(command) {
        add(verb, Some(&name), pages)?;
    }
    Ok(())
}

fn page(command: &Command, above: Option<&str>) -> io::Result<Vec<u8>> {
    let name = name(command);
    let mut command = with_headings(command, above.is_some());
    let usage = command.render_usage().to_string();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(DATE)
        .source(VERSION)
        .manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    // Names of options and pages stay whole.
    text.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut text)?;
    synopsis(&usage).to_writer(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if shown(&command).next().is_some() {
        man.render_subcommands_section(&mut text)?;
    }
    sections(&command, &name, above).to_writer(&mut text)?;
    Ok(text)
}

/// A verb's own options come first, and those of every verb below a heading.
fn with_headings(command: &Command, is_verb: bool) -> Command {
    let command = command.clone().subcommand_help_heading("VERBS");
    command.mut_args(|argument| {
        let has_heading = argument.get_help_heading().is_some();
        if is_verb && argument.is_global_set() && !has_heading {
            argument.help_heading("Options of every verb")
        } else {
            argument
        }
    })
}

/// As the help says it, which is shorter than a list of all options.
fn synopsis(usage: &str) -> Roff {
    let usage = usage.strip_prefix("Usage: ").unwrap_or(usage);
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(usage)]);
    roff
}

/// The sections that clap has no place for.
fn sections(command: &Command, name: &str, above: Option<&str>) -> Roff {
    let mut roff = Roff::new();
    examples(&mut roff, command);
    let is_step = name.ends_with("-bisect-step");
    let statuses = if is_step { STEP_STATUS } else { EXIT_STATUS };
    roff.control("SH", ["EXIT STATUS"]);
    rows(&mut roff, statuses);
    if above.is_none() {
        roff.control("SH", ["ENVIRONMENT"]);
        variables(&mut roff, command);
        rows(&mut roff, VARIABLES);
        roff.control("SH", ["FILES"]);
        rows(&mut roff, FILES);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text(see_also(command, above));
    roff
}

/// What stands below the options in the help.
fn examples(roff: &mut Roff, command: &Command) {
    let Some(text) = command.get_after_long_help().or(command.get_after_help()) else {
        return;
    };
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    for line in text.to_string().lines() {
        if line != "Examples:" {
            roff.text([roman(line)]);
        }
    }
    roff.control("fi", []);
}

/// The variables that stand for options.
fn variables(roff: &mut Roff, command: &Command) {
    for argument in command.get_arguments() {
        let (Some(variable), Some(long)) = (argument.get_env(), argument.get_long()) else {
            continue;
        };
        roff.control("TP", []);
        roff.text([bold(variable.to_string_lossy())]);
        roff.text([roman("The same as "), bold(format!("--{long}")), roman(".")]);
    }
}

fn rows(roff: &mut Roff, rows: Rows) {
    for (head, text) in rows {
        roff.control("TP", []);
        roff.text([bold(*head)]);
        roff.text([roman(*text)]);
    }
}

/// The page above this one, and the pages below it.
fn see_also(command: &Command, above: Option<&str>) -> Vec<Inline> {
    let mut pages: Vec<String> = above.map(str::to_owned).into_iter().collect();
    pages.extend(shown(command).map(name));
    pages.push("qemu-system-x86_64".to_owned());
    let last = pages.len() - 1;
    let links = pages.into_iter().enumerate().flat_map(|(at, page)| {
        let end = if at == last { "(1)" } else { "(1), " };
        [italic(page), roman(end)]
    });
    links.collect()
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

/// `cpuid-fidelity-bisect-step`.
fn name(command: &Command) -> String {
    let name = command.get_display_name();
    name.unwrap_or_else(|| command.get_name()).to_owned()
}
