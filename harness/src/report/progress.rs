//! How far a run is: a bar on a terminal; in a log a line for each case that did not pass, and one a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::changes::{account, in_a_line};
use super::styled::{Detail, Manner, Text, Tone};
use super::tally::{Group, Tally};
use super::verdict::tone;
use crate::results::{Row, Status};
use crate::util::terminal::{self, Stream};

/// The progress of one run.
pub struct Progress {
    bar: ProgressBar,
    manner: Manner,
    tally: Mutex<Tally>,
}

/// Fits 40 columns. What it is made of is ASCII, which a terminal without UTF-8 shows too.
const TEMPLATE: &str = "{wide_bar} {pos}/{len} {msg} {eta} left";

impl Progress {
    /// Of a run over cases of these groups; the bar is shown where standard error is a terminal that can move its cursor (`live`).
    pub fn new(groups: impl IntoIterator<Item = Group>, manner: Manner, live: bool) -> Progress {
        let tally = Tally::new(groups, Instant::now());
        let target = if live && manner.detail != Detail::Quiet {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(tally.planned() as u64), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.tick();
        Progress {
            bar,
            manner,
            tally: Mutex::new(tally),
        }
    }

    /// A case has ended.
    pub fn case(&self, result: &Row) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let group_over = tally.add(result);
        let mut text = self.about_case(result);
        if self.manner.detail != Detail::Quiet {
            let about_run = if self.bar.is_hidden() {
                tally
                    .minute(Instant::now())
                    .map(|line| vec![(Tone::Plain, line)])
            } else {
                group_over
            };
            about_run.into_iter().for_each(|line| text.line(line));
        }
        self.show(&text);
        self.bar.set_message(tally.failed());
        self.bar.inc(1);
    }

    /// A line of a case that did not pass; with all details of every case where that is asked for.
    fn about_case(&self, result: &Row) -> Text {
        let mut text = Text::default();
        let bad = matches!(result.status, Status::Fail | Status::Error);
        match self.manner.detail {
            Detail::Verbose => text.plain(&account(result)),
            Detail::Normal if bad => {
                let status = (tone(result.status), result.status.name().to_owned());
                text.line(vec![status, (Tone::Plain, in_a_line(result))]);
            }
            Detail::Normal | Detail::Quiet => {}
        }
        text
    }

    fn show(&self, text: &Text) {
        let shown = text.render(self.manner.error);
        if shown.is_empty() {
            return;
        }
        self.bar
            .suspend(|| terminal::print_coloured(&shown, Stream::Error));
    }

    /// The run has ended, or was interrupted: the bar is taken away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
