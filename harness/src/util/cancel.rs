//! One switch that ends every wait at once (Ctrl-C).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Cheap to clone; all clones are one switch. Once thrown it stays thrown.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<OwnedFd>);

impl Cancel {
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
