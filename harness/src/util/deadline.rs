//! A deadline that counts only time in which this program ran: a machine that is suspended, or a run that is stopped and continued, is
//! no timeout. What was left cannot be known then, so the whole time starts again.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

use super::signals;

/// A wait that takes so much longer than it was asked for was not a wait: this program did not run.
const EXCESS: Duration = Duration::from_secs(1);

/// Some time from a start.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    from: Instant,
    span: Duration,
}

impl Deadline {
    /// `span` from now; [`Duration::MAX`] for ever.
    pub fn after(span: Duration) -> Deadline {
        Deadline {
            from: Instant::now(),
            span,
        }
    }

    /// What is left; `None` when it is over.
    pub fn left(&self) -> Option<Duration> {
        let from = signals::continued().map_or(self.from, |at| at.max(self.from));
        let left = self.span.checked_sub(from.elapsed());
        left.filter(|left| !left.is_zero())
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.left().is_none()
    }

    /// Waits until one of `fds` is ready, at most for what is left. May return before either.
    ///
    /// # Errors
    /// As poll(2).
    pub fn poll(&mut self, fds: &mut [PollFd<'_>]) -> Result<(), Errno> {
        let left = self.left().unwrap_or_default();
        let before = Instant::now();
        let woken = poll(fds, Timespec::try_from(left).ok().as_ref());
        if before.elapsed() > left.saturating_add(EXCESS) {
            self.from = Instant::now();
        }
        woken.map(drop)
    }
}
