//! Completion: a shell's script asks the program itself, which knows its verbs, its options and the names of the built-in expectations.

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, EnvCompleter, Fish, Shells, Zsh};

use super::names::{features, machines, models, releases};

/// The variable by which a shell's script asks, with the name of the shell.
const VARIABLE: &str = "CPUID_FIDELITY_COMPLETE";

/// zsh loads the script when it is asked first, and takes what the script does for the answer.
const ZSH_FIRST: &str =
    "[[ $funcstack[1] != _cpuid-fidelity ]] || _clap_dynamic_completer_cpuid_fidelity \"$@\"\n";

/// The shells, each with the file that its packages put the script into, below `share/`.
const SCRIPTS: [(&dyn EnvCompleter, &str); 3] = [
    (
        &clap_complete::env::Bash,
        "bash-completion/completions/cpuid-fidelity",
    ),
    (&Fish, "fish/vendor_completions.d/cpuid-fidelity.fish"),
    (&Zsh, "zsh/site-functions/_cpuid-fidelity"),
];

/// Answers a shell that asks what to complete with, and ends the program then. Else it returns.
pub fn answer_shell(command: fn() -> Command) {
    let shells = SCRIPTS.map(|(shell, _)| shell);
    let answer = CompleteEnv::with_factory(|| completed(command())).var(VARIABLE);
    answer.shells(Shells(&shells)).complete();
}

/// Each script with its path below `share/`. It calls the program that is in `PATH`.
///
/// # Errors
/// clap's, which has none that is known.
pub fn scripts(name: &str) -> std::io::Result<Vec<(&'static str, Vec<u8>)>> {
    let script = |(shell, path): (&dyn EnvCompleter, &'static str)| {
        let mut text = Vec::new();
        let identifier = name.replace('-', "_");
        shell.write_registration(VARIABLE, &identifier, name, name, &mut text)?;
        if shell.is("zsh") {
            text.extend_from_slice(ZSH_FIRST.as_bytes());
        }
        Ok((path, text))
    };
    SCRIPTS.into_iter().map(script).collect()
}

/// The command with the names that its values have. Values that clap knows itself, as lanes, and files need nothing.
fn completed(command: Command) -> Command {
    command
        .mut_args(|argument| match names(&argument) {
            Some(names) => argument.add(ArgValueCandidates::new(move || candidates(names))),
            None => argument,
        })
        .mut_subcommands(completed)
}

/// What an argument names, by how it is typed: the same word means the same thing in every verb.
fn names(argument: &Arg) -> Option<fn() -> Vec<String>> {
    let typed = argument
        .get_long()
        .unwrap_or_else(|| argument.get_id().as_str());
    match typed {
        "cpu" | "model" => Some(models),
        "machine" => Some(machines),
        "release" | "compat" => Some(releases),
        "feature" => Some(features),
        _ => None,
    }
}

fn candidates(names: fn() -> Vec<String>) -> Vec<CompletionCandidate> {
    names().into_iter().map(CompletionCandidate::new).collect()
}
