//! A fleet in parts: pools, and vendors.

use super::extent::{Extent, count, some};
use super::lines::cut;
use crate::fleet::page::{Page, PagePool};

/// The best partitions.
pub(super) fn pools(page: &Page, extent: Extent) -> Vec<String> {
    let partition = |pools: &Vec<PagePool>| match extent {
        Extent::All => in_full(pools),
        Extent::Screen => folded(pools),
    };
    page.pools.iter().flat_map(partition).collect()
}

fn in_full(pools: &[PagePool]) -> Vec<String> {
    let line = |pool: &PagePool| {
        let gains = if pool.gains.is_empty() {
            String::new()
        } else {
            format!(", +{}", some(&pool.gains, 8))
        };
        let hosts = some(&pool.hosts, 4);
        format!("    {hosts}: {}, {}{gains}", model(pool), pool.level)
    };
    std::iter::once(format!("  {}", count(pools.len(), "pool")))
        .chain(pools.iter().map(line))
        .collect()
}

/// A line a pool: what its guests gain counts, and not what that is.
fn folded(pools: &[PagePool]) -> Vec<String> {
    let line = |(number, pool): (usize, &PagePool)| {
        let gains = match pool.gains.len() {
            0 => String::new(),
            more => format!(", {} more", count(more, "feature")),
        };
        let (hosts, level) = (some(&pool.hosts, 2), &pool.level);
        let part = format!("{number} of {}", pools.len());
        cut(&format!(
            "  {part}: {}, {level}{gains}: {hosts}",
            model(pool)
        ))
    };
    (1..).zip(pools).map(line).collect()
}

fn model(pool: &PagePool) -> &str {
    pool.cpu.split(',').next().unwrap_or_default()
}

/// The answer for the hosts of each vendor.
pub(super) fn vendors(page: &Page, extent: Extent) -> Vec<String> {
    let lines = |pool: &PagePool| {
        let lost = some(&pool.gains, extent.features());
        let line = format!(
            "  {}, {}: {}; a guest that had to run on all loses {lost}",
            pool.vendor,
            some(&pool.hosts, extent.features()),
            pool.level
        );
        [line, format!("-cpu {}", pool.cpu)]
    };
    page.vendors.iter().flat_map(lines).collect()
}
