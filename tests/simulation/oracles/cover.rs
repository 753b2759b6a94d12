//! The exact cover: the fewest connections that meet every demand, by dynamic programming over what is still missing.

use std::collections::BTreeMap;

/// The fewest of `candidates` (bit `n`: serves requirement `n`) that together serve each requirement as often as
/// `demand` asks. `None`: not even all of them do.
///
/// The state is the vector of what is still missing, so there are at most `Π (demand + 1)` of them; each candidate is
/// used at most once. Candidates of equal masks are interchangeable, which the order of the loop uses.
pub(crate) fn fewest(candidates: &[u64], demand: &[u8]) -> Option<usize> {
    let goal: Vec<u8> = vec![0; demand.len()];
    // What is missing → with how few connections it can be so.
    let mut best: BTreeMap<Vec<u8>, usize> = BTreeMap::from([(demand.to_vec(), 0)]);
    let mut by_mask: BTreeMap<u64, usize> = BTreeMap::new();
    for mask in candidates {
        *by_mask.entry(*mask).or_default() += 1;
    }
    let useful = demand.iter().map(|n| usize::from(*n)).max().unwrap_or(0);
    for (mask, count) in by_mask {
        // More of one kind than any demand asks for are of no use.
        for _ in 0..count.min(useful) {
            let before: Vec<(Vec<u8>, usize)> = best
                .iter()
                .map(|(missing, used)| (missing.clone(), *used))
                .collect();
            for (mut missing, used) in before {
                for (place, left) in missing.iter_mut().enumerate() {
                    if mask & (1 << place) != 0 {
                        *left = left.saturating_sub(1);
                    }
                }
                let entry = best.entry(missing).or_insert(usize::MAX);
                *entry = (*entry).min(used + 1);
            }
        }
    }
    best.get(&goal).copied()
}

#[cfg(test)]
mod tests {
    use super::fewest;

    /// Every subset, tried.
    fn slowly(candidates: &[u64], demand: &[u8]) -> Option<usize> {
        (0_u32..1 << candidates.len())
            .filter(|chosen| {
                demand.iter().enumerate().all(|(place, wanted)| {
                    let serving = candidates
                        .iter()
                        .enumerate()
                        .filter(|(n, mask)| chosen & (1 << n) != 0 && *mask & (1 << place) != 0);
                    serving.count() >= usize::from(*wanted)
                })
            })
            .map(|chosen| chosen.count_ones() as usize)
            .min()
    }

    #[test]
    fn it_finds_what_trying_every_subset_finds() {
        let mut x = 7_u64;
        let mut next = || {
            x = x
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            x >> 33
        };
        let mut solvable = 0;
        for _ in 0..300 {
            let candidates: Vec<u64> = (0..next() % 9).map(|_| next() % 8).collect();
            let demand: Vec<u8> = (0..3).map(|_| (next() % 3) as u8).collect();
            let exact = fewest(&candidates, &demand);
            assert_eq!(
                exact,
                slowly(&candidates, &demand),
                "{candidates:?} {demand:?}"
            );
            solvable += usize::from(exact.is_some());
        }
        assert!(solvable > 50, "most instances can be solved: {solvable}");
    }

    #[test]
    fn nobody_can_cover_what_nobody_serves() {
        assert_eq!(fewest(&[1, 1], &[1, 1]), None);
        assert_eq!(fewest(&[], &[0, 0]), Some(0));
    }
}
