//! One switch that ends every wait at once (Ctrl-C).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Cheap to clone; all clones are one switch. Once thrown it stays thrown.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<OwnedFd>);

/// The switch that signals throw, where there is one.
static OF_SIGNALS: OnceLock<Cancel> = OnceLock::new();

/// The switch that Ctrl-C throws, for waits that nobody can hand it to; `None` where Ctrl-C ends the process.
pub fn of_signals() -> Option<&'static Cancel> {
    OF_SIGNALS.get()
}

impl Cancel {
    /// Makes it the one that [`of_signals`] returns. Only the first call has an effect.
    pub fn on_signals(&self) {
        let _ = OF_SIGNALS.set(self.clone());
    }

    /// A switch not yet thrown.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> std::io::Result<Cancel> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Cancel(Arc::new(eventfd(0, flags)?)))
    }

    /// Ends every wait, now and later.
    pub fn throw(&self) {
        // The counter can only overflow when it is not 0 already, which is all that is wanted.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Whether the switch was thrown.
    pub fn thrown(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&*self.0, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            match poll(&mut fds, Some(&now)) {
                Err(Errno::INTR) => {}
                ready => return ready.is_ok_and(|count| count > 0),
            }
        }
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
