//! Chance that can be repeated.

use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers by xorshift (Marsaglia 2003), from a seed that is printed.
pub struct Random(u64);

impl Random {
    /// From `STRESS_SEED`, else from the clock.
    pub fn new() -> Random {
        let clock = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(1, |now| now.subsec_nanos().into())
        };
        let seed = number("STRESS_SEED").unwrap_or_else(clock).max(1);
        eprintln!("STRESS_SEED={seed}");
        Random(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

/// A number of the environment.
pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
