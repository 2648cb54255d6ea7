//! How many guests run at once.

use super::limits::JOBS_PER_CORE;

/// A number of threads, as it was asked for and as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    asked: usize,
    cores: usize,
}

impl Jobs {
    /// So many, 0 for one a core, on this machine.
    pub fn here(asked: usize) -> Jobs {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Jobs { asked, cores }
    }

    /// Threads for so many guests: no more than there are guests, and than [`JOBS_PER_CORE`] a core.
    pub fn threads(self, guests: usize) -> usize {
        let wanted = if self.asked == 0 {
            self.cores
        } else {
            self.asked
        };
        wanted.min(self.most()).min(guests).max(1)
    }

    /// A sentence where more were asked for than this machine runs at once.
    pub fn clamped(self) -> Option<String> {
        let Jobs { asked, cores } = self;
        let most = self.most();
        (asked > most).then(|| format!("jobs = {asked}: {most} guests run at once, {JOBS_PER_CORE} for each of {cores} cores"))
    }

    fn most(self) -> usize {
        self.cores.saturating_mul(JOBS_PER_CORE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_two_cores(asked: usize) -> Jobs {
        Jobs { asked, cores: 2 }
    }

    #[test]
    fn threads_are_no_more_than_guests_and_a_multiple_of_the_cores() {
        for (asked, guests, threads) in [
            (0, 100, 2),
            (1, 100, 1),
            (8, 100, 8),
            (1_000_000, 100, 8),
            (usize::MAX, usize::MAX, 8),
            (8, 3, 3),
            (0, 0, 1),
        ] {
            assert_eq!(
                on_two_cores(asked).threads(guests),
                threads,
                "{asked} for {guests}"
            );
        }
    }

    #[test]
    fn what_is_clamped_is_said() {
        assert_eq!(on_two_cores(8).clamped(), None);
        assert_eq!(
            on_two_cores(1_000_000).clamped().as_deref(),
            Some("jobs = 1000000: 8 guests run at once, 4 for each of 2 cores")
        );
    }
}
