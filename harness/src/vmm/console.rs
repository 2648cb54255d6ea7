//! The console of a kernel, as an error shows it.

use std::os::fd::OwnedFd;

use rustix::fs::fstat;
use rustix::io::pread;

/// Lines of the console that an error shows.
const LINES: usize = 20;

/// The end of the console's text; where the kernel panicked or oopsed, from there on.
pub fn last_lines(console: &OwnedFd) -> String {
    let size = fstat(console).map_or(0, |about| about.st_size);
    let from = u64::try_from(size).unwrap_or(0).saturating_sub(64 * 1024);
    let mut bytes = vec![0; 64 * 1024];
    let count = pread(console, &mut bytes[..], from).unwrap_or(0);
    last_words(&String::from_utf8_lossy(&bytes[..count]))
}

fn last_words(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    const SIGNS: [&str; 5] = [
        "Kernel panic",
        "BUG:",
        "Oops:",
        "general protection fault",
        "Initramfs unpacking failed",
    ];
    let trouble = lines
        .iter()
        .position(|line| SIGNS.iter().any(|sign| line.contains(sign)));
    let from = match trouble {
        Some(at) => at.saturating_sub(2),
        None => lines.len().saturating_sub(LINES),
    };
    if lines.is_empty() {
        return "  (nothing)".to_owned();
    }
    let shown: Vec<String> = lines[from..]
        .iter()
        .take(LINES)
        .map(|line| format!("  {line}"))
        .collect();
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn the_console_is_shown_from_the_panic_on() {
        let mut text: String = (0..50).map(|number| format!("line {number}\r\n")).collect();
        assert!(last_words(&text).starts_with("  line 30\n"));
        text.push_str("Kernel panic - not syncing: x\r\n---[ end ]---\r\n");
        assert_eq!(
            last_words(&text),
            "  line 48\n  line 49\n  Kernel panic - not syncing: x\n  ---[ end ]---"
        );
        assert_eq!(last_words("\r\n"), "  (nothing)");
    }
}
