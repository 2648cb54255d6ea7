//! What each layer makes of a feature, from the hardware down to the guest.

use super::evidence::{Evidence, State};

mod asked;
mod given;
mod host;
mod row;

use asked::asked_rows;
use given::given_rows;
use host::host_rows;
pub use row::{LayerRow, Step};
use row::{present, row};

/// One row a layer, top to bottom.
pub fn layers(evidence: &Evidence) -> Vec<LayerRow> {
    let mut rows = Vec::new();
    if let Some(host) = &evidence.host {
        rows.extend(host_rows(host));
    }
    rows.extend(forgiven(evidence, asked_rows(evidence)));
    rows.extend(given_rows(evidence));
    if let Some((claim, cause)) = &evidence.kernel {
        rows.push(row(Step::GuestKernel, claim, cause.clone()));
    }
    rows
}

/// What a later layer or the guest has was not lost by an earlier one.
fn forgiven(evidence: &Evidence, mut rows: Vec<LayerRow>) -> Vec<LayerRow> {
    let last = rows.iter().rposition(|row| row.state == State::Present);
    let until = if present(&evidence.guest) {
        rows.len()
    } else {
        last.unwrap_or(0)
    };
    rows.iter_mut().take(until).for_each(|row| row.cause = None);
    rows
}

#[cfg(test)]
#[path = "layers/tests.rs"]
mod tests;
