//! What has changed since an earlier report.

use super::extent::some;
use crate::fleet::change::Since;

/// Which hosts lost what, and what else is different there.
pub(super) fn since(change: &Since) -> Vec<String> {
    let mut lines = Vec::new();
    if change.then == change.now {
        lines.push("  the answer is as it was".to_owned());
    } else {
        lines.push(format!("  CHANGED the answer was {}", change.then));
    }
    for (what, names) in [
        ("guests lose", &change.lost),
        ("guests gain", &change.gained),
    ] {
        if !names.is_empty() {
            lines.push(format!("  {what} {}", names.join(" ")));
        }
    }
    for own in &change.hosts {
        let hosts = some(&own.hosts, 4);
        let with = if own.with.is_empty() {
            String::new()
        } else {
            format!(" ({})", own.with.join("; "))
        };
        if !own.lost.is_empty() {
            lines.push(format!("  LOST {hosts}: {}{with}", some(&own.lost, 16)));
        }
        if !own.needed.is_empty() {
            lines.push(format!(
                "    guests of the earlier answer neither start nor arrive there: {}",
                some(&own.needed, 16)
            ));
        }
        if !own.gained.is_empty() {
            lines.push(format!("  gained {hosts}: {}{with}", some(&own.gained, 16)));
        }
    }
    for (what, hosts) in [("new", &change.come), ("gone", &change.gone)] {
        if !hosts.is_empty() {
            lines.push(format!("  {what}: {}", some(hosts, 8)));
        }
    }
    lines
}
