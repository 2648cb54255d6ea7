//! The hosts by class, and what is odd of them.

use super::extent::{Extent, count, some};
use super::lines::cut;
use crate::fleet::page::{Page, PageClass, PageRemark};

/// Classes, and harmless remarks, that a screen shows.
const ON_SCREEN: usize = 4;
/// Classes that all of a report shows: ten thousand hosts have more than anybody reads.
const CLASSES: usize = 10;

/// The hosts.
pub(super) fn classes(page: &Page, extent: Extent) -> Vec<String> {
    let most = match extent {
        Extent::All => CLASSES,
        Extent::Screen => ON_SCREEN,
    };
    let all = page.classes.len();
    // A line that says that there is one more takes as much as that one.
    let most = if all == most + 1 { all } else { most };
    let shown = page.classes.iter().take(most);
    let mut lines: Vec<String> = shown.map(|own| class(own, extent)).collect();
    if all > most {
        lines.push(format!(
            "  and {} more classes (--json has all)",
            all - most
        ));
    }
    lines
}

fn class(class: &PageClass, extent: Extent) -> String {
    let brand = if class.brand.is_empty() {
        &class.vendor
    } else {
        &class.brand
    };
    let kernel = class.kernel.release.iter();
    let kernel: String = kernel.map(|release| format!(", Linux {release}")).collect();
    let (hosts, basis) = (some(&class.hosts, 3), &class.basis);
    let line = format!("  {hosts}: {brand}{kernel}; {basis}");
    let (unused, unknown) = (class.unused.len(), class.unknown.len());
    let features = count(unused, "feature");
    match (extent, unknown) {
        (Extent::All, 0) => format!("{line}; {features} that no guest gets"),
        (Extent::All, _) => {
            format!("{line}; {features} that no guest gets; {unknown} features unknown")
        }
        (Extent::Screen, 0) => cut(&format!("{line}; {unused} unused")),
        (Extent::Screen, _) => cut(&format!("{line}; {unused} unused, {unknown} unknown")),
    }
}

/// What is odd: all that is wrong, and of the rest the first.
pub(super) fn remarks(page: &Page, extent: Extent) -> Vec<String> {
    let line = |remark: &PageRemark| {
        let mark = if remark.finding { "FAIL " } else { "" };
        format!("  {mark}{}: {}", remark.hosts.label, remark.text)
    };
    let (wrong, harmless): (Vec<&PageRemark>, Vec<&PageRemark>) =
        page.remarks.iter().partition(|remark| remark.finding);
    let most = extent.most(ON_SCREEN);
    let shown = wrong.iter().chain(harmless.iter().take(most));
    let mut lines: Vec<String> = shown.map(|remark| line(remark)).collect();
    let left_out = |reason: &String| format!("  left out: {reason}");
    lines.extend(
        page.refused
            .iter()
            .take(extent.most(ON_SCREEN))
            .map(left_out),
    );
    let more = harmless.len().saturating_sub(most) + page.refused.len().saturating_sub(most);
    if more > 0 {
        lines.push(format!("  and {more} more (-v)"));
    }
    lines
}
