//! What becomes of the output of a process.

use super::limits::{OUTPUT, OUTPUT_LINE};

/// Takes the output of a process as it comes.
pub trait Output {
    /// The next bytes.
    fn take(&mut self, bytes: &[u8]);

    /// Nothing more comes.
    fn end(&mut self) {}

    /// Whether the output shows that the process will do nothing any more, though it stays.
    fn is_last(&self) -> bool {
        false
    }
}

/// Keeps the first [`OUTPUT`] bytes.
#[derive(Debug, Default)]
pub struct Kept(Vec<u8>);

impl Kept {
    /// All that was kept, invalid UTF-8 replaced; up to the last whole line where not everything was.
    pub fn text(&self) -> String {
        let whole = self.0.iter().rposition(|byte| *byte == b'\n');
        let end = whole.filter(|_| self.0.len() == OUTPUT);
        let kept = end.map_or(&self.0[..], |end| &self.0[..=end]);
        String::from_utf8_lossy(kept).into_owned()
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        self.0.windows(text.len()).position(|window| window == text)
    }
}

impl Output for Kept {
    fn take(&mut self, bytes: &[u8]) {
        let room = OUTPUT.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether QEMU reports that KVM gave up on the guest. QEMU then dumps the registers, `Code=` last, and stays, its vCPUs
    /// stopped for ever (accel/kvm/kvm-all.c, kvm_cpu_exec: VM_STOP on RUN_STATE_INTERNAL_ERROR).
    fn is_last(&self) -> bool {
        let gave_up = self.find(b"KVM internal error");
        let gave_up = gave_up.or_else(|| self.find(b"KVM: entry failed"));
        gave_up.is_some_and(|at| {
            let mut rest = self.0[at..].windows(6);
            rest.any(|window| window == b"\nCode=")
        })
    }
}

/// Hands on every line, without its end and with invalid UTF-8 replaced.
pub struct Lines<'a> {
    unfinished: Vec<u8>,
    take: &'a mut dyn FnMut(&str),
}

impl<'a> Lines<'a> {
    /// Gives lines to `take`.
    pub fn new(take: &'a mut dyn FnMut(&str)) -> Lines<'a> {
        Lines {
            unfinished: Vec::new(),
            take,
        }
    }
}

impl Output for Lines<'_> {
    fn take(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            (self.take)(String::from_utf8_lossy(&line[..end]).trim_end_matches('\r'));
        }
        if self.unfinished.len() > OUTPUT_LINE {
            self.end();
        }
    }

    fn end(&mut self) {
        if !self.unfinished.is_empty() {
            let line = std::mem::take(&mut self.unfinished);
            (self.take)(&String::from_utf8_lossy(&line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let mut lines = Vec::new();
        let mut take = |line: &str| lines.push(line.to_owned());
        let mut output = Lines::new(&mut take);
        for part in [&b"one\r\ntw"[..], b"o\nhalf"] {
            output.take(part);
        }
        output.end();
        output.end();
        assert_eq!(lines, ["one", "two", "half"]);
    }

    #[test]
    fn what_is_kept_ends_with_a_whole_line() {
        let mut kept = Kept::default();
        kept.take(b"one\ntwo");
        assert_eq!(kept.text(), "one\ntwo");
        kept.take(&vec![b'a'; OUTPUT]);
        assert_eq!(kept.text(), "one\n");
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = 0;
        let mut take = |_: &str| lines += 1;
        let mut output = Lines::new(&mut take);
        output.take(&vec![b'a'; OUTPUT_LINE + 1]);
        assert_eq!(lines, 1);
    }
}
