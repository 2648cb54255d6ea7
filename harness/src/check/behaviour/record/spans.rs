//! Of whom a row is: as few places as say which grounds.

use crate::check::behaviour::Ground;
use crate::util::order::natural;

/// The first column of a row, without the family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Processors of emulated hosts; none where it is of each.
    pub hosts: Vec<String>,
    /// From which release on.
    pub from: Option<String>,
    /// Up to which.
    pub to: Option<String>,
}

impl Span {
    fn covers(&self, release: &str) -> bool {
        let from = self.from.as_deref().unwrap_or(release);
        let to = self.to.as_deref().unwrap_or(release);
        natural(from) <= natural(release) && natural(release) <= natural(to)
    }
}

/// The places that are those of `grounds` (all that were recorded of a family) for which `holds` says yes.
pub fn spans(grounds: &[Ground], holds: &[bool]) -> Vec<Span> {
    let mut hosts: Vec<&str> = grounds.iter().map(|ground| &*ground.host).collect();
    hosts.dedup();
    let mut spans = Vec::new();
    for host in &hosts {
        let own = grounds.iter().zip(holds);
        let own = own.filter(|(ground, _)| ground.host == *host);
        let own: Vec<(&str, bool)> = own
            .map(|(ground, holds)| (&*ground.release, *holds))
            .collect();
        let left = join(&mut spans, host, &own);
        spans.extend(runs(host, &own, &left));
    }
    for span in &mut spans {
        let is_in = |host: &&str| {
            let mut own = grounds.iter().filter(|ground| ground.host == **host);
            span.hosts.iter().any(|known| known == *host)
                || !own.any(|ground| span.covers(&ground.release))
        };
        if hosts.iter().all(is_in) {
            span.hosts.clear();
        }
    }
    spans
}

/// Adds a host to the places of others that hold nothing else of it; which of its releases that leaves.
fn join(spans: &mut [Span], host: &str, own: &[(&str, bool)]) -> Vec<bool> {
    let mut left: Vec<bool> = own.iter().map(|(_, holds)| *holds).collect();
    for span in spans {
        let covered: Vec<usize> = (0..own.len())
            .filter(|index| span.covers(own[*index].0))
            .collect();
        let holds = covered.iter().all(|index| own[*index].1);
        if holds && covered.iter().any(|index| left[*index]) {
            span.hosts.push(host.to_owned());
            covered.iter().for_each(|index| left[*index] = false);
        }
    }
    left
}

/// Releases that follow one another, a place each.
fn runs(host: &str, own: &[(&str, bool)], left: &[bool]) -> Vec<Span> {
    let mut runs = Vec::new();
    let mut start = None;
    for index in 0..=left.len() {
        match (left.get(index), start) {
            (Some(true), None) => start = Some(index),
            (Some(true), Some(_)) | (_, None) => {}
            (_, Some(first)) => {
                let is_last = index == left.len();
                runs.push(Span {
                    hosts: vec![host.to_owned()],
                    from: (first > 0).then(|| own[first].0.to_owned()),
                    to: (!is_last).then(|| own[index - 1].0.to_owned()),
                });
                start = None;
            }
        }
    }
    runs
}
