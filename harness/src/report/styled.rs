//! Lines for a terminal or a log: wrapped at words where the width is known, coloured where colour is wanted.

use crate::util::printable;

/// What a stream shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Columns; `None` of a log, where a line is never broken, so that it can be searched.
    pub width: Option<usize>,
    /// Whether colours are shown.
    pub colour: bool,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Causes of what failed, and the verdict.
    Quiet,
    /// A line for each case that failed and for each cause.
    #[default]
    Normal,
    /// Every case, every finding, tables.
    Verbose,
}

/// How a run's results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Standard output.
    pub output: Look,
    /// Standard error.
    pub error: Look,
    /// How much.
    pub detail: Detail,
}

impl Manner {
    /// Whether everything is printed.
    pub fn verbose(&self) -> bool {
        self.detail == Detail::Verbose
    }
}

/// What a piece of text says by its colour; the text says the same without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// As promised.
    Good,
    /// Somebody has to look at it.
    Bad,
    /// Accepted, or not run.
    Accepted,
}

impl Tone {
    /// Select Graphic Rendition parameters (ECMA-48, 8.3.117); the sixteen colours, which every terminal's theme makes readable.
    fn parameters(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Accepted => "33",
        }
    }
}

/// Lines, each of pieces with a tone. Pieces are divided by a space.
#[derive(Clone, Debug, Default)]
pub struct Text(Vec<Line>);

/// A line before it is broken.
#[derive(Clone, Debug)]
struct Line {
    pieces: Vec<(Tone, String)>,
    /// Whether it is a command for a shell, which is broken so that it can still be pasted.
    is_command: bool,
}

/// What the lines behind the first start with where one is broken: two empty words, each with a space behind it.
const INDENTED: [Word<'static>; 2] = [(Tone::Plain, ""); 2];

/// Fewest columns that lines are broken for.
const NARROWEST: usize = 20;

impl Text {
    /// Adds a line.
    pub fn line(&mut self, pieces: Vec<(Tone, String)>) {
        self.0.push(Line {
            pieces,
            is_command: false,
        });
    }

    /// Adds a command for a shell, indented.
    pub fn command(&mut self, command: &str) {
        self.0.push(Line {
            pieces: vec![(Tone::Plain, format!("  {command}"))],
            is_command: true,
        });
    }

    /// Adds lines that have their form already, as tables have.
    pub fn plain(&mut self, lines: &str) {
        for line in lines.lines() {
            self.line(vec![(Tone::Plain, line.to_owned())]);
        }
    }

    /// As the stream shows it; everything that comes from outside is printable in it.
    pub fn render(&self, look: Look) -> String {
        let lines = self.0.iter().flat_map(|line| broken(line, look.width));
        lines.map(|line| rendered(&line, look.colour)).collect()
    }
}

/// A word with its tone.
type Word<'a> = (Tone, &'a str);

fn broken(line: &Line, width: Option<usize>) -> Vec<Vec<Word<'_>>> {
    let words = line
        .pieces
        .iter()
        .flat_map(|(tone, piece)| piece.split(' ').map(|word| (*tone, word)));
    let Some(width) = width.map(|width| width.max(NARROWEST)) else {
        return vec![words.collect()];
    };
    // A shell takes what follows a backslash at the end for the same line; there is to be room for it.
    let width = if line.is_command {
        width.saturating_sub(2)
    } else {
        width
    };
    let mut lines: Vec<Vec<Word<'_>>> = vec![Vec::new()];
    let mut column = None;
    for word in words {
        let length = word.1.chars().count();
        let mut end = column.map_or(length, |column: usize| column + 1 + length);
        if column.is_some() && end > width {
            if let Some(broken) = lines.last_mut().filter(|_| line.is_command) {
                broken.push((Tone::Plain, "\\"));
            }
            lines.push(INDENTED.to_vec());
            end = INDENTED.len() + length;
        }
        column = Some(end);
        if let Some(line) = lines.last_mut() {
            line.push(word);
        }
    }
    lines
}

fn rendered(line: &[Word<'_>], colour: bool) -> String {
    let words = line.iter().map(|(tone, word)| {
        let word = printable::terminal(word);
        match tone.parameters() {
            parameters if colour && !parameters.is_empty() => {
                format!("\u{1b}[{parameters}m{word}\u{1b}[0m")
            }
            _ => word.into_owned(),
        }
    });
    let words: Vec<String> = words.collect();
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> Text {
        let mut text = Text::default();
        text.line(vec![
            (Tone::Bad, "FAIL".to_owned()),
            (
                Tone::Plain,
                "avx2 lost at CPUID.07H.00H:EBX[5]: EPYC-v4 · pc-q35-11.1 and older".to_owned(),
            ),
        ]);
        text
    }

    #[test]
    fn a_command_that_is_broken_can_still_be_pasted() {
        let mut text = Text::default();
        text.command("printf %s one two three four");
        let narrow = Look {
            width: Some(20),
            colour: false,
        };
        assert_eq!(
            text.render(narrow),
            "  printf %s one \\\n  two three four\n"
        );
        assert_eq!(
            text.render(Look::default()),
            "  printf %s one two three four\n"
        );
    }

    #[test]
    fn a_log_has_each_line_whole_and_without_colour() {
        let wanted = "FAIL avx2 lost at CPUID.07H.00H:EBX[5]: EPYC-v4 · pc-q35-11.1 and older\n";
        assert_eq!(text().render(Look::default()), wanted);
    }

    #[test]
    fn lines_are_broken_between_words_and_fit() {
        for width in [20, 40, 60] {
            let look = Look {
                width: Some(width),
                colour: false,
            };
            let shown = text().render(look);
            assert!(shown.lines().count() > 1, "{shown}");
            for (index, line) in shown.lines().enumerate() {
                let fits = line.chars().count() <= width || line.trim().split(' ').count() == 1;
                assert!(fits, "{width}: {line}");
                assert_eq!(line.starts_with("  "), index > 0, "{shown}");
            }
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&shown), words(&text().render(Look::default())));
        }
    }

    #[test]
    fn colour_is_around_our_words_and_never_out_of_a_text() {
        let look = Look {
            width: None,
            colour: true,
        };
        let shown = text().render(look);
        assert!(
            shown.starts_with("\u{1b}[1;31mFAIL\u{1b}[0m avx2 "),
            "{shown:?}"
        );
        let mut hostile = Text::default();
        hostile.plain("a\u{1b}[2Jb");
        assert_eq!(hostile.render(look), "a\\u{1b}[2Jb\n");
    }
}
