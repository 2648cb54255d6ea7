//! The verdict of a run as a sentence.

use std::collections::BTreeMap;
use std::time::Duration;

use super::styled::Tone;
use crate::results::{Row, Status};

/// How often each status came.
pub type Counts = BTreeMap<Status, usize>;

/// How often each status came.
pub fn count<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Counts {
    let mut counts = Counts::new();
    for row in rows {
        *counts.entry(row.status).or_default() += 1;
    }
    counts
}

/// `1519 run: 1498 passed, 13 FAILED, 6 waived, 2 skipped in 41 s`.
pub fn sentence(counts: &Counts, took: Duration) -> Vec<(Tone, String)> {
    let missing = counts.get(&Status::Miss).copied().unwrap_or_default();
    let run = counts.values().sum::<usize>() - missing;
    let mut pieces = vec![(Tone::Plain, format!("{run} run:"))];
    pieces.extend(parts(counts));
    pieces.push((Tone::Plain, format!("in {}", time(took))));
    pieces
}

/// `1498 passed, 13 FAILED`; without a case `nothing was compared`.
pub fn parts(counts: &Counts) -> Vec<(Tone, String)> {
    let all = ORDER.into_iter().filter_map(|(status, tone, name)| {
        let count = counts.get(&status).filter(|count| **count > 0)?;
        Some((tone, format!("{count} {name}")))
    });
    let mut parts: Vec<_> = all.collect();
    if parts.is_empty() {
        parts.push((Tone::Bad, "nothing was compared".to_owned()));
    }
    let behind_last = parts.len() - 1;
    let divided = parts.iter_mut().take(behind_last);
    divided.for_each(|(_, part)| part.push(','));
    parts
}

/// What passed first, then what somebody has to look at, in capitals.
const ORDER: [(Status, Tone, &str); 6] = [
    (Status::Pass, Tone::Good, "passed"),
    (Status::Fail, Tone::Bad, "FAILED"),
    (Status::Error, Tone::Bad, "with ERROR"),
    (Status::Waived, Tone::Accepted, "waived"),
    (Status::Skip, Tone::Accepted, "skipped"),
    (Status::Miss, Tone::Bad, "NOT RUN"),
];

/// The tone of a status.
pub fn tone(status: Status) -> Tone {
    let found = ORDER.into_iter().find(|(other, _, _)| *other == status);
    found.map_or(Tone::Plain, |(_, tone, _)| tone)
}

/// `0.4 s`, `41 s`, `2 min 5 s`, `3 h 2 min`.
pub fn time(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..100 => format!("{whole} s"),
        100..6000 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(counts: &[(Status, usize)], seconds: f64) -> String {
        let counts = counts.iter().copied().collect();
        let pieces = sentence(&counts, Duration::from_secs_f64(seconds));
        let pieces: Vec<String> = pieces.into_iter().map(|(_, piece)| piece).collect();
        pieces.join(" ")
    }

    #[test]
    fn the_verdict_is_a_sentence() {
        let all = [
            (Status::Pass, 1498),
            (Status::Fail, 13),
            (Status::Waived, 6),
            (Status::Skip, 2),
        ];
        let wanted = "1519 run: 1498 passed, 13 FAILED, 6 waived, 2 skipped in 41 s";
        assert_eq!(render(&all, 41.2), wanted);
        let some = [(Status::Pass, 3), (Status::Error, 1), (Status::Miss, 4)];
        assert_eq!(
            render(&some, 125.0),
            "4 run: 3 passed, 1 with ERROR, 4 NOT RUN in 2 min 5 s"
        );
        assert_eq!(render(&[], 0.0), "0 run: nothing was compared in 0.0 s");
    }
}
