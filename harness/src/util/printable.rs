//! Text from outside (of QEMU, kernels, files, names) as it may be printed. What a terminal, a log or a page would obey, and what a reader
//! would not see, is spelled out: `\n`, `\u{1b}`, `\u{202e}`. Text that is printable already stays as it is.

use std::borrow::Cow;

/// What is shown as nothing though it is a letter or a mark: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt without
/// category Cf, and the empty pattern of Braille.
const BLANK: [(char, char); 10] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2065}', '\u{2065}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// What starts a command in the log of a CI system, wherever in a line it stands (Azure Pipelines, TeamCity).
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// `text` where one line is meant.
pub fn line(text: &str) -> Cow<'_, str> {
    spelled(text, "")
}

/// `text` of several lines: line ends and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") {
        return spelled(&text.replace("\r\n", "\n"), "\n\t")
            .into_owned()
            .into();
    }
    spelled(text, "\n\t")
}

/// `json`, a whole JSON text, with the same spelled as JSON has it. Its strings read as before.
pub fn json(json: &str) -> Cow<'_, str> {
    if !json.contains("##") && !json.contains(|letter| hidden(letter) && letter != '\n') {
        return json.into();
    }
    let mut spelled = String::new();
    for letter in json.replace("##", "#\\u0023").chars() {
        if hidden(letter) && letter != '\n' {
            let units = letter.encode_utf16(&mut [0; 2]).to_vec();
            spelled.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            spelled.push(letter);
        }
    }
    spelled.into()
}

/// Text for standard output and standard error, which may be the log of a CI system: what would start one of its commands is spelled
/// out too. A line that starts with `::`, behind white space or not, is one of GitHub Actions.
pub fn terminal(shown: &str) -> Cow<'_, str> {
    let shown = text(shown);
    let commands = |line: &str| {
        line.trim_start().starts_with("::") || COMMANDS.iter().any(|command| line.contains(command))
    };
    if !shown.lines().any(commands) {
        return shown;
    }
    let lines = shown.split_inclusive('\n');
    lines.map(without_command).collect::<String>().into()
}

fn without_command(line: &str) -> String {
    let rest = line.trim_start();
    let (indent, _) = line.split_at(line.len() - rest.len());
    let rest = match rest.strip_prefix("::") {
        Some(rest) => format!("\\u{{3a}}:{rest}"),
        None => rest.to_owned(),
    };
    let spelled = COMMANDS.iter().fold(rest, |line, command| {
        line.replace(command, &format!("\\u{{23}}{}", &command[1..]))
    });
    format!("{indent}{spelled}")
}

/// `shown` with every line behind the first indented, so that none of them passes for a line of this program.
pub fn hanging(shown: &str) -> String {
    let mut lines = shown.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| match line {
        "" => text + "\n",
        line => text + "\n  " + line,
    })
}

fn spelled<'a>(text: &'a str, kept: &str) -> Cow<'a, str> {
    let hidden = |letter: char| hidden(letter) && !kept.contains(letter);
    if !text.contains(hidden) {
        return text.into();
    }
    let mut spelled = String::new();
    for letter in text.chars() {
        if hidden(letter) {
            spelled.extend(letter.escape_default());
        } else {
            spelled.push(letter);
        }
    }
    spelled.into()
}

/// Whether a letter is a control or format character, an unassigned or private one, a line end, a space that is not the ASCII one, or blank.
pub fn hidden(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    // Behind another letter, `str::escape_debug` escapes what is not printable (General_Category C, Zl, Zp, Zs), and no combining mark.
    let pair = String::from_iter(['a', letter]);
    let blank = |(first, last): &(char, char)| (*first..=*last).contains(&letter);
    pair.escape_debug().nth(1) == Some('\\') || BLANK.iter().any(blank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_and_what_nobody_sees_is_spelled_out() {
        for (given, shown) in [
            ("plain · Größe → a\\b", "plain · Größe → a\\b"),
            ("e\u{301} नि", "e\u{301} नि"),
            (
                "\u{1b}[31m\u{7}\u{7f}\u{9b}",
                "\\u{1b}[31m\\u{7}\\u{7f}\\u{9b}",
            ),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\u{0}"),
            (
                "\u{202e}\u{2066}\u{200b}\u{feff}",
                "\\u{202e}\\u{2066}\\u{200b}\\u{feff}",
            ),
            (
                "\u{a0}\u{2028}\u{e000}\u{fff9}",
                "\\u{a0}\\u{2028}\\u{e000}\\u{fff9}",
            ),
            ("\u{3164}\u{fe0f}\u{e0041}", "\\u{3164}\\u{fe0f}\\u{e0041}"),
        ] {
            assert_eq!(line(given), shown);
            assert_eq!(line(shown), shown, "what is printable stays");
        }
        assert_eq!(text("a\r\nb\tc\rd\u{1b}\n"), "a\nb\tc\\rd\\u{1b}\n");
    }

    #[test]
    fn lines_behind_the_first_are_indented() {
        assert_eq!(hanging("a\nb\n\n c\n"), "a\n  b\n\n   c");
        assert_eq!(hanging(""), "");
    }

    #[test]
    fn a_json_text_reads_as_before_and_hides_nothing() {
        let strings = ["\u{7f}\u{9b}\u{202e}\u{e0041}", "###vso[x]##", "plain"];
        let whole = serde_json::to_string_pretty(&strings).expect("JSON");
        let shown = json(&whole);
        assert_eq!(
            serde_json::from_str::<Vec<String>>(&shown).expect("JSON"),
            strings
        );
        assert_eq!(terminal(&shown), shown);
    }

    #[test]
    fn no_line_of_a_log_is_a_command_to_ci() {
        for (given, shown) in [
            (
                "::warning::x\n  ::stop-commands::y",
                "\\u{3a}:warning::x\n  \\u{3a}:stop-commands::y",
            ),
            ("a ##vso[task.x]y", "a \\u{23}#vso[task.x]y"),
            (
                "##[error]\n###teamcity[x",
                "\\u{23}#[error]\n#\\u{23}#teamcity[x",
            ),
            ("# fe80::1 ## title", "# fe80::1 ## title"),
        ] {
            assert_eq!(terminal(given), shown);
        }
    }
}
