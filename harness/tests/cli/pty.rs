//! A terminal for a program under test: what it shows is read from the other side.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What a program printed to a terminal, and how it ended.
pub struct Shown {
    pub status: Option<i32>,
    /// Everything, with what moves the cursor and colours.
    pub raw: String,
}

impl Shown {
    /// The lines that are left to see: of each what stands behind the last carriage return or erased line, without colours.
    pub fn lines(&self) -> Vec<String> {
        let text = self.raw.replace("\r\n", "\n");
        let lines = text.split('\n').map(|line| {
            let left = line.rsplit(['\r']).next().unwrap_or_default();
            without_escapes(left.rsplit("\u{1b}[2K").next().unwrap_or_default())
        });
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// `text` without CSI sequences (ECMA-48, 5.4).
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| {
        let end = part.find(|letter: char| ('@'..='~').contains(&letter));
        seen + end.map_or("", |end| &part[end + 1..])
    })
}

/// A program that runs on a terminal.
pub struct OnTerminal {
    pub child: Child,
    side: File,
}

impl OnTerminal {
    /// Starts the command on a terminal of so many columns, of a kind that can move its cursor.
    pub fn start(command: &mut Command, columns: u16) -> OnTerminal {
        let side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let side = side.expect("a terminal");
        grantpt(&side).expect("its owner");
        unlockpt(&side).expect("its lock");
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&side, size).expect("its size");
        let name = ptsname(&side, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(&name, flags, Mode::empty()).expect("the terminal");
        let copy = || Stdio::from(terminal.try_clone().expect("a copy"));
        command.stdin(copy()).stdout(copy()).stderr(copy());
        if command.get_envs().all(|(variable, _)| variable != "TERM") {
            command.env("TERM", "xterm");
        }
        let child = command.spawn().expect("the binary");
        // The command keeps copies; as long as one is open, the terminal has no end.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        OnTerminal {
            child,
            side: side.into(),
        }
    }

    /// Reads until `mark` is shown.
    pub fn read_until(&mut self, mark: &str) -> String {
        let mut shown = String::new();
        let mut part = [0; 4096];
        while !shown.contains(mark) {
            let count = self.side.read(&mut part).unwrap_or_default();
            assert!(count > 0, "{mark:?} was never shown:\n{shown}");
            shown.push_str(&String::from_utf8_lossy(&part[..count]));
        }
        shown
    }

    /// What it shows until its end.
    pub fn end(mut self) -> Shown {
        let mut bytes = Vec::new();
        // The end of a terminal that nobody has open any more is EIO.
        let _ = self.side.read_to_end(&mut bytes);
        Shown {
            status: self.child.wait().expect("an end").code(),
            raw: String::from_utf8(bytes).expect("UTF-8"),
        }
    }
}

/// Runs the command on such a terminal to its end.
pub fn shown(command: &mut Command, columns: u16) -> Shown {
    OnTerminal::start(command, columns).end()
}
