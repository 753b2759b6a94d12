//! Sorting for lists of a handful of entries.

/// Sorts by a key, the smallest first and equals in their order, in quadratic time.
///
/// Every list that the manager sorts is as short as its settings say (addresses of a peer, candidates of one choice,
/// providers of one need), while each type that the standard library's sort is used with costs the wasm a kilobyte.
pub(in crate::manager) fn sort_short_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && key(&list[at - 1]) > key(&list[at]) {
            list.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sort_short_by_key;

    #[test]
    fn sorts_as_the_standard_library_does() {
        let mut mixed: Vec<(u32, u32)> = (0..50).map(|n| (n * 7 % 5, n)).collect();
        let mut expected = mixed.clone();
        expected.sort_by_key(|entry| entry.0);
        sort_short_by_key(&mut mixed, |entry| entry.0);
        assert_eq!(mixed, expected);
    }
}
