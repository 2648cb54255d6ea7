//! Names that were probably meant.

/// Up to five of `names` that are nearest to `wanted`: few edits away, or with it in them.
pub fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let most = 1 + wanted.len() / 4;
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let edits = edits(&wanted, &lower);
            let within =
                wanted.len() > 2 && (lower.contains(&wanted) || wanted.starts_with(&lower));
            (edits <= most || within).then_some((edits, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(5).map(|(_, name)| name).collect()
}

/// `; near to it: a, b`, to be put behind a message that `wanted` is none of `names`; nothing where none is near.
pub fn hint<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    match near(wanted, names).as_slice() {
        [] => String::new(),
        names => format!("; near to it: {}", names.join(", ")),
    }
}

/// Letters to insert, delete or replace (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let names = ["avx", "avx2", "avx512f", "avx512-fp16", "svm"];
        assert_eq!(near("avx512ff", names.into_iter())[0], "avx512f");
        assert_eq!(near("zzzzzz", names.into_iter()), Vec::<&str>::new());
    }

    #[test]
    fn the_distance_is_that_of_levenshtein() {
        assert_eq!(
            (edits("kitten", "sitting"), edits("", "abc"), edits("a", "")),
            (3, 3, 1)
        );
    }
}
