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
pub struct Kept {
    bytes: Vec<u8>,
    /// Found when the bytes came: a process that floods its pipe must not have them searched each time.
    gave_up: bool,
}

impl Kept {
    /// All that was kept, invalid UTF-8 replaced; up to the last whole line where not everything was.
    pub fn text(&self) -> String {
        let whole = self.bytes.iter().rposition(|byte| *byte == b'\n');
        let end = whole.filter(|_| self.bytes.len() == OUTPUT);
        let kept = end.map_or(&self.bytes[..], |end| &self.bytes[..=end]);
        String::from_utf8_lossy(kept).into_owned()
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        self.bytes
            .windows(text.len())
            .position(|window| window == text)
    }

    /// Whether QEMU reports that KVM gave up on the guest. QEMU then dumps the registers, `Code=` last, and stays, its vCPUs
    /// stopped for ever (accel/kvm/kvm-all.c, kvm_cpu_exec: VM_STOP on RUN_STATE_INTERNAL_ERROR).
    fn shows_the_end(&self) -> bool {
        let gave_up = self.find(b"KVM internal error");
        let gave_up = gave_up.or_else(|| self.find(b"KVM: entry failed"));
        gave_up.is_some_and(|at| {
            let mut rest = self.bytes[at..].windows(6);
            rest.any(|window| window == b"\nCode=")
        })
    }
}

impl Output for Kept {
    fn take(&mut self, bytes: &[u8]) {
        let room = OUTPUT.saturating_sub(self.bytes.len());
        if room > 0 {
            self.bytes
                .extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.gave_up = self.shows_the_end();
        }
    }

    fn is_last(&self) -> bool {
        self.gave_up
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
    fn kvm_gave_up_is_seen_in_whatever_pieces_it_is_printed() {
        let mut kept = Kept::default();
        for (piece, is_last) in [
            ("KVM internal er", false),
            ("ror. Suberror: 1\nRAX=0\nCod", false),
            ("e=ff", true),
        ] {
            kept.take(piece.as_bytes());
            assert_eq!(kept.is_last(), is_last, "{piece}");
        }
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
