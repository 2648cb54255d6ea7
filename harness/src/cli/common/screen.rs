//! What standard output and standard error show: a terminal, how wide, with colours or without.
//!
//! Text is UTF-8 whatever the locale says, so that a log reads the same everywhere; what a bar is drawn of is ASCII.

use std::io::IsTerminal as _;
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use cpuid_fidelity::report::styled::Look;
use rustix::termios::tcgetwinsize;

/// When colours are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Of standard output and of standard error.
pub fn looks(color: Color) -> (Look, Look) {
    choice(color).write_global();
    let (output, error) = (std::io::stdout(), std::io::stderr());
    let output = Look {
        width: width(&output),
        colour: AutoStream::choice(&output) != ColorChoice::Never,
    };
    let error = Look {
        width: width(&error),
        colour: AutoStream::choice(&error) != ColorChoice::Never,
    };
    (output, error)
}

/// Whether standard error is a terminal that can move its cursor, as a bar needs it.
pub fn live() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    !dumb && std::io::stderr().is_terminal()
}

fn choice(color: Color) -> ColorChoice {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::AlwaysAnsi,
        Color::Never => ColorChoice::Never,
    }
}

/// Columns of a terminal; without one those that COLUMNS names, if any.
fn width(stream: impl AsFd) -> Option<usize> {
    let size = tcgetwinsize(stream).ok();
    let of_terminal = size.map(|size| usize::from(size.ws_col));
    of_terminal.filter(|columns| *columns > 0).or_else(|| {
        let columns = std::env::var("COLUMNS").ok()?;
        columns.parse().ok().filter(|columns| *columns > 0)
    })
}
