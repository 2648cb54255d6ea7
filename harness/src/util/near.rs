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

/// Letters to insert, delete or replace, or to swap with the next one (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let first: Vec<usize> = (0..=b.len()).collect();
    let (mut before, mut row) = (first.clone(), first);
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = row[j] + usize::from(x != y);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
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
    fn two_letters_that_are_swapped_are_one_mistake() {
        assert_eq!(near("tgc", ["tcg", "kvm"].into_iter()), ["tcg"]);
        assert_eq!((edits("tgc", "tcg"), edits("ab", "ba")), (1, 1));
    }

    #[test]
    fn the_distance_counts_each_letter() {
        assert_eq!(
            (edits("kitten", "sitting"), edits("", "abc"), edits("a", "")),
            (3, 3, 1)
        );
    }
}
