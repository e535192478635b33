//! "Did you mean …?" for capability names.

use crate::cap::Cap;

/// Longer input is no misspelt name (the longest has 22 bytes).
const MAX_LEN: usize = 40;

/// The capability name nearest to a misspelt one, or `None` if none is near.
///
/// Case is ignored, and the `cap_` prefix may be missing. Near means at most one edit (insert,
/// delete, replace, swap of neighbours: the optimal string alignment distance) for every three letters. The names are
/// those of capabilities(7); of several equally near it is the one with the lowest bit.
///
/// ```
/// use linx_caps::nearest_name;
/// assert_eq!(nearest_name("cap_net_amdin"), Some("cap_net_admin"));
/// assert_eq!(nearest_name("NET_BIND_SERVCE"), Some("cap_net_bind_service"));
/// assert_eq!(nearest_name("frobnicate"), None);
/// ```
pub fn nearest_name(input: &str) -> Option<&'static str> {
    if input.len() > MAX_LEN {
        return None;
    }
    let input = input.to_ascii_lowercase();
    let short = input.strip_prefix("cap_").unwrap_or(&input);
    let (distance, name) = Cap::names()
        .map(|(_, name)| (distance_to(name, &input, short), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= short.len() / 3).then_some(name)
}

fn distance_to(name: &str, input: &str, short: &str) -> usize {
    let bare = name.strip_prefix("cap_").unwrap_or(name);
    edits(name.as_bytes(), input.as_bytes()).min(edits(bare.as_bytes(), short.as_bytes()))
}

/// The optimal string alignment distance, by rows of the usual matrix.
fn edits(left: &[u8], right: &[u8]) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=right.len()).collect();
    let mut last_left = None;
    for (row, l) in left.iter().enumerate() {
        let mut new = vec![row + 1];
        let mut last_right = None;
        for (col, r) in right.iter().enumerate() {
            let replaced = at(&old, col) + usize::from(l != r);
            let mut best = replaced.min(at(&old, col + 1) + 1).min(at(&new, col) + 1);
            if last_left == Some(r) && last_right == Some(l) {
                best = best.min(at(&older, col.wrapping_sub(1)) + 1);
            }
            new.push(best);
            last_right = Some(r);
        }
        older = std::mem::replace(&mut old, new);
        last_left = Some(l);
    }
    at(&old, right.len())
}

fn at(row: &[usize], col: usize) -> usize {
    row.get(col).copied().unwrap_or(usize::MAX / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distances_by_hand() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "axc", 1),
            ("abc", "abcd", 1),
            ("kitten", "sitting", 3),
        ];
        for (left, right, distance) in cases {
            assert_eq!(
                edits(left.as_bytes(), right.as_bytes()),
                distance,
                "{left} {right}"
            );
        }
    }

    #[test]
    fn every_name_is_nearest_to_itself_with_and_without_prefix() {
        for (_, name) in Cap::names() {
            assert_eq!(nearest_name(name), Some(name));
            assert_eq!(nearest_name(&name.to_uppercase()), Some(name));
            assert_eq!(name.strip_prefix("cap_").and_then(nearest_name), Some(name));
        }
    }

    #[test]
    fn what_is_far_has_no_neighbour() {
        for far in ["", "cap_", "root", "everything", &"x".repeat(100_000)] {
            assert_eq!(nearest_name(far), None);
        }
    }

    proptest! {
        #[test]
        fn one_swap_is_found(bit in 0u8..41, at in 4usize..22) {
            let name = Cap::name(bit).unwrap();
            let mut bytes = name.as_bytes().to_vec();
            let at = at.min(bytes.len() - 2);
            bytes.swap(at, at + 1);
            let typo = String::from_utf8(bytes).unwrap();
            if typo.len() >= 9 {
                prop_assert_eq!(nearest_name(&typo), Some(name));
            }
        }

        #[test]
        fn no_input_panics(input in ".{0,60}") {
            let _ = nearest_name(&input);
        }
    }
}
