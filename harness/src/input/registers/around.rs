//! What stands around a dump, and in its gaps: shell prompts, headings, marks that something was left out.

/// Programs whose output is read here.
const PROGRAMS: [&str; 7] = [
    "cpuid",
    "x86info",
    "kcpuid",
    "xen-cpuid",
    "cpuid_tool",
    "cpuid-dump",
    "cpuid-fidelity",
];

/// Lines that leave something out, without brackets, dashes and stars.
const ELISIONS: [&str; 8] = ["...", "…", "..", "....", ".....", "snip", "snipped", "cut"];

/// Bytes of the longest line that is taken for a shell's: each of its marks may end the prompt.
const LONGEST_COMMAND: usize = 256;
/// Longest line that is a heading and not a sentence.
const HEADING: usize = 80;

/// A shell's line with a command that prints a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// `host` of `user@host:~$`.
    pub host: Option<String>,
}

impl Prompt {
    /// `line` as one; `None` where it is none.
    pub fn parse(line: &str) -> Option<Prompt> {
        if line.len() > LONGEST_COMMAND {
            return None;
        }
        let command = line
            .char_indices()
            .filter(|(_, character)| matches!(character, '$' | '#' | '%' | '>'))
            .map(|(at, _)| at)
            .find(|at| runs_a_program(&line[at + 1..]));
        if let Some(at) = command {
            let host = host(&line[..at]);
            return Some(Prompt { host });
        }
        let bare = line.split_once(' ')?.1.trim_start().starts_with('-');
        (bare && runs_a_program(line)).then_some(Prompt { host: None })
    }
}

/// `sudo cpuid -r`, `./kcpuid -r`, `taskset -c 0 cpuid -r`: a program among the first words, and nothing like a sentence before it.
fn runs_a_program(command: &str) -> bool {
    let mut words = command.split_whitespace().take(6);
    words.any(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        PROGRAMS.contains(&name)
    })
}

fn host(prompt: &str) -> Option<String> {
    let (_, after) = prompt.split_once('@')?;
    let end = after.find([':', ' ', ']', '~', '/']);
    let host = &after[..end.unwrap_or(after.len())];
    (!host.is_empty()).then(|| host.to_owned())
}

/// Whether the line says that lines were left out.
pub fn is_elision(line: &str) -> bool {
    let bare = line.trim_matches(|character: char| {
        character.is_whitespace() || "[](){}<>*-=_".contains(character)
    });
    let bare = bare.to_ascii_lowercase();
    let scissors = bare == "8" && line.contains(['<', '>']);
    scissors
        || ELISIONS.contains(&bare.as_str())
        || (line.starts_with(['[', '(', '<', '{']) && bare.starts_with("snip"))
}

/// Whether the line is a mark around preformatted text.
fn is_fence(line: &str) -> bool {
    const FENCES: [&str; 10] = [
        "```",
        "~~~",
        "{noformat",
        "{code",
        "<pre",
        "</pre",
        "[code",
        "[/code",
        "<code",
        "</code",
    ];
    FENCES.iter().any(|fence| line.starts_with(fence))
}

/// What lines right before a dump call it: a prompt's host, or a heading.
pub fn title<'a>(before: impl DoubleEndedIterator<Item = &'a str>) -> Option<String> {
    for line in before.rev() {
        match Prompt::parse(line) {
            Some(Prompt { host: Some(host) }) => return Some(host),
            None if !is_fence(line) && !is_elision(line) => return heading(line),
            _ => {}
        }
    }
    None
}

fn heading(line: &str) -> Option<String> {
    let marked = line.starts_with(['#', '=', '*']);
    let heading = line
        .trim_matches(|character: char| character.is_whitespace() || "#=*:".contains(character));
    let is_heading = (marked || line.ends_with(':')) && line.chars().count() <= HEADING;
    (is_heading && !heading.is_empty()).then(|| heading.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(line: &str) -> Option<Option<String>> {
        Prompt::parse(line).map(|prompt| prompt.host)
    }

    #[test]
    fn prompts_of_shells_are_known_with_their_hosts() {
        let named = |name: &str| Some(Some(name.to_owned()));
        assert_eq!(host("$ cpuid -r"), Some(None));
        assert_eq!(host("# cpuid -1 -r"), Some(None));
        assert_eq!(host("cpuid -1 -r"), Some(None));
        assert_eq!(host("user@guest:~$ sudo cpuid -r"), named("guest"));
        assert_eq!(host("[root@node1 ~]# ./kcpuid -r"), named("node1"));
        assert_eq!(host("root@vm:/srv/pcm/bin# cpuid --raw"), named("vm"));
        assert_eq!(host("$ lscpu"), None);
        assert_eq!(host(&format!("$ {} cpuid -r", ">".repeat(256))), None);
        assert_eq!(host("cpuid of the guest is wrong"), None);
    }

    #[test]
    fn marks_that_something_is_left_out_are_known() {
        for line in [
            "...",
            "[...]",
            "[snip]",
            "<snip>",
            "…",
            "(...)",
            "--8<--",
            "[snip 20 lines]",
        ] {
            assert!(is_elision(line), "{line}");
        }
        for line in ["snippet", "0x00000001", "cut it there"] {
            assert!(!is_elision(line), "{line}");
        }
    }

    #[test]
    fn a_heading_right_before_a_dump_is_its_title() {
        let title = |lines: &[&str]| title(lines.iter().copied());
        assert_eq!(
            title(&["It fails.", "On the host:", "```"]),
            Some("On the host".to_owned())
        );
        assert_eq!(title(&["## Guest", "$ cpuid -r"]), Some("Guest".to_owned()));
        assert_eq!(title(&["me@a:~$ cpuid -r"]), Some("a".to_owned()));
        assert_eq!(title(&["On the host:", "It fails."]), None);
    }
}
