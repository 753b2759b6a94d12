//! How the connections are shared out among protocols (4.4).
//!
//! Pure: from what each asks for, and how many connections there may be, to what each is granted. First every protocol
//! gets its minimum, the more important classes first; then all are raised towards their maxima, whoever has least for
//! its weight before the others (max-min fairness). When there is not enough, the minima of critical protocols are cut
//! last, and never to nothing as long as there is one connection for each.

use crate::manager::boundary::command::Grant;
use crate::manager::boundary::event::{Bound, Class, Quota};
use crate::manager::tools::sort::sort_short_by_key;

/// Connections that are granted to nobody: a bootstrap peer or a probe needs a place. Critical minima may use it.
const RESERVE: u64 = 1;
/// The largest weight.
const HEAVIEST: u8 = 16;
/// Divisible by every weight: the cost of a connection is exact in these units.
const COST: u64 = 720_720;

/// What a protocol asks for, in connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Request {
    pub(in crate::manager) class: Class,
    /// 1 to 16.
    pub(in crate::manager) weight: u8,
    pub(in crate::manager) low: u16,
    /// At least `low`, and at least 1.
    pub(in crate::manager) high: u16,
}

impl Request {
    /// Relative bounds are of the soft target: minima are rounded up, maxima down.
    pub(in crate::manager) fn new(class: Class, weight: u8, quota: Quota, soft: u16) -> Self {
        let low = match quota.min {
            None => 0,
            Some(Bound::Count(count)) => count,
            Some(Bound::Permille(share)) => permille(soft, share, 999),
        };
        let high = match quota.max {
            None => soft,
            Some(Bound::Count(count)) => count,
            Some(Bound::Permille(share)) => permille(soft, share, 0),
        };
        Self {
            class,
            weight: weight.clamp(1, HEAVIEST),
            low,
            high: high.max(low).max(1),
        }
    }
}

fn permille(soft: u16, share: u16, round: u32) -> u16 {
    let thousandths = u32::from(soft) * u32::from(share.min(1_000));
    u16::try_from((thousandths + round) / 1_000).unwrap_or(u16::MAX)
}

/// One protocol while connections are handed out.
#[derive(Debug, Clone, Copy)]
struct Bowl {
    request: Request,
    place: usize,
    level: u16,
    /// What is certain.
    low: u16,
}

impl Bowl {
    /// What each connection costs it: little, when its weight is great.
    fn cost(&self) -> u64 {
        COST / u64::from(self.request.weight)
    }

    /// Connections that it would take, beyond what it has, if all were filled below `line` and to at most `brim`.
    fn takes(&self, line: u64, brim: u16) -> u64 {
        let room = u64::from(brim.saturating_sub(self.level));
        let filled = line.div_ceil(self.cost());
        filled.saturating_sub(u64::from(self.level)).min(room)
    }
}

/// What each request is granted, in the order of the requests, out of `soft` connections.
///
/// S13: the sum of `low` is at most `soft`, `low` is at most `high`, and neither is above the request; `low` is at least
/// 1 for every critical request that asks for a minimum while `soft` is at least their number. The sum of `high` is at
/// most `soft` too.
pub(in crate::manager) fn allocate(requests: &[Request], soft: u16) -> Vec<Grant> {
    let mut bowls: Vec<Bowl> = requests
        .iter()
        .enumerate()
        .map(|(place, request)| Bowl {
            request: *request,
            place,
            level: 0,
            low: 0,
        })
        .collect();
    sort_short_by_key(&mut bowls, |bowl| {
        let request = bowl.request;
        core::cmp::Reverse((request.class, request.weight, usize::MAX - bowl.place))
    });
    let mut pool = u64::from(soft);
    let critical = bowls.partition_point(|bowl| bowl.request.class == Class::Critical);
    let normal = bowls.partition_point(|bowl| bowl.request.class >= Class::Normal);
    // One for each before more for any.
    pour(&mut bowls[..critical], &mut pool, |request| {
        request.low.min(1)
    });
    pour(&mut bowls[..critical], &mut pool, |request| request.low);
    pool = pool.saturating_sub(RESERVE);
    pour(&mut bowls[critical..normal], &mut pool, |request| {
        request.low
    });
    pour(&mut bowls[normal..], &mut pool, |request| request.low);
    for bowl in &mut bowls {
        bowl.low = bowl.level;
    }
    pour(&mut bowls, &mut pool, |request| request.high);
    sort_short_by_key(&mut bowls, |bowl| bowl.place);
    bowls
        .iter()
        .map(|bowl| Grant {
            low: bowl.low,
            high: bowl.level,
        })
        .collect()
}

/// Fills bowls out of the pool, each to its brim at most: always the one whose connections cost it least so far, and of
/// equals the first.
///
/// Not one by one: all are filled below the highest line that the pool allows, and the rest goes to the first of those
/// who are just at that line.
fn pour(bowls: &mut [Bowl], pool: &mut u64, brim: fn(&Request) -> u16) {
    let taken = |bowls: &[Bowl], line| -> u64 {
        bowls.iter().map(|b| b.takes(line, brim(&b.request))).sum()
    };
    // The line is the last at which the pool suffices.
    let (mut enough, mut too_high) = (0, COST << u16::BITS);
    while too_high - enough > 1 {
        let line = enough + (too_high - enough) / 2;
        if taken(bowls, line) <= *pool {
            enough = line;
        } else {
            too_high = line;
        }
    }
    for bowl in bowls.iter_mut() {
        fill(bowl, bowl.takes(enough, brim(&bowl.request)), pool);
    }
    for bowl in bowls.iter_mut() {
        let next = bowl.takes(enough + 1, brim(&bowl.request)).min(*pool);
        fill(bowl, next, pool);
    }
}

fn fill(bowl: &mut Bowl, count: u64, pool: &mut u64) {
    *pool = pool.saturating_sub(count);
    bowl.level = bowl
        .level
        .saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::{COST, Request, allocate};
    use crate::manager::{Bound, Class, Grant, Quota};

    const SOFT: u16 = 16;

    fn counts(min: u16, max: Option<u16>) -> Quota {
        Quota {
            min: Some(Bound::Count(min)),
            max: max.map(Bound::Count),
        }
    }

    fn request(class: Class, weight: u8, low: u16, high: u16) -> Request {
        Request::new(class, weight, counts(low, Some(high)), SOFT)
    }

    fn grants(requests: &[Request], soft: u16) -> Vec<(u16, u16)> {
        let grants = allocate(requests, soft).into_iter();
        grants.map(|grant| (grant.low, grant.high)).collect()
    }

    #[test]
    fn relative_minima_are_rounded_up_and_maxima_down() {
        let quota = |min, max| Quota {
            min: Some(Bound::Permille(min)),
            max: Some(Bound::Permille(max)),
        };
        let ask = |min, max| {
            let request = Request::new(Class::Normal, 1, quota(min, max), SOFT);
            (request.low, request.high)
        };
        assert_eq!(ask(0, 1_000), (0, 16));
        assert_eq!(ask(250, 500), (4, 8));
        assert_eq!(ask(251, 499), (5, 7));
        // The maximum is never below the minimum, nor nothing.
        assert_eq!(ask(0, 0), (0, 1));
        assert_eq!(ask(500, 100), (8, 8));
        assert_eq!(ask(u16::MAX, u16::MAX), (16, 16));
    }

    #[test]
    fn alike_protocols_get_alike_shares_and_one_place_stays_free() {
        let all = request(Class::Normal, 1, 0, SOFT);
        assert_eq!(grants(&[all; 3], SOFT), [(0, 5); 3]);
        assert_eq!(grants(&[all; 4], SOFT), [(0, 4), (0, 4), (0, 4), (0, 3)]);
    }

    #[test]
    fn weight_decides_between_equals() {
        let heavy = request(Class::Normal, 4, 0, SOFT);
        let light = request(Class::Normal, 1, 0, SOFT);
        assert_eq!(grants(&[light, heavy], SOFT), [(0, 3), (0, 12)]);
    }

    #[test]
    fn critical_minima_are_cut_last_and_never_to_nothing() {
        let critical = request(Class::Critical, 1, 6, 6);
        let normal = request(Class::Normal, 16, 6, 6);
        let rest = request(Class::Opportunistic, 16, 6, 6);
        let asked = [rest, normal, critical, critical];
        assert_eq!(grants(&asked, SOFT), [(0, 0), (3, 3), (6, 6), (6, 6)]);
        assert_eq!(grants(&asked, 2), [(0, 0), (0, 0), (1, 1), (1, 1)]);
        let heavy = request(Class::Critical, 16, 6, 6);
        assert_eq!(grants(&[critical, heavy], 2), [(1, 1), (1, 1)]);
    }

    #[test]
    fn what_one_does_not_want_is_shared_among_the_others() {
        let modest = request(Class::Normal, 1, 1, 2);
        let greedy = request(Class::Normal, 1, 0, SOFT);
        assert_eq!(grants(&[modest, greedy], SOFT), [(1, 2), (0, 13)]);
    }

    /// One connection at a time, to whoever has least for its weight.
    fn slowly(requests: &[Request], soft: u16) -> Vec<Grant> {
        let mut levels = vec![0_u16; requests.len()];
        let mut pool = soft;
        let fill = |pool: &mut u16, levels: &mut Vec<u16>, brim: &dyn Fn(&Request) -> u16| {
            while *pool > 0 {
                let next = (0..requests.len())
                    .filter(|i| levels[*i] < brim(&requests[*i]))
                    .min_by_key(|i| {
                        let request = requests[*i];
                        let cost = u64::from(levels[*i]) * COST / u64::from(request.weight);
                        (
                            cost,
                            core::cmp::Reverse((request.class, request.weight)),
                            *i,
                        )
                    });
                let Some(next) = next else { return };
                levels[next] += 1;
                *pool -= 1;
            }
        };
        let only = |class: Class, request: &Request, count: u16| {
            if request.class == class { count } else { 0 }
        };
        fill(&mut pool, &mut levels, &|r| {
            only(Class::Critical, r, r.low.min(1))
        });
        fill(&mut pool, &mut levels, &|r| only(Class::Critical, r, r.low));
        pool = pool.saturating_sub(1);
        fill(&mut pool, &mut levels, &|r| only(Class::Normal, r, r.low));
        fill(&mut pool, &mut levels, &|r| {
            only(Class::Opportunistic, r, r.low)
        });
        let lows = levels.clone();
        fill(&mut pool, &mut levels, &|r| r.high);
        let both = lows.into_iter().zip(levels);
        both.map(|(low, high)| Grant { low, high }).collect()
    }

    fn bound() -> impl Strategy<Value = Option<Bound>> {
        prop_oneof![
            1 => Just(None),
            3 => (0..12_u16).prop_map(|count| Some(Bound::Count(count))),
            2 => (0..1_200_u16).prop_map(|share| Some(Bound::Permille(share))),
            1 => any::<u16>().prop_map(|count| Some(Bound::Count(count))),
        ]
    }

    fn requests() -> impl Strategy<Value = (u16, Vec<Request>)> {
        let classes = vec![Class::Critical, Class::Normal, Class::Opportunistic];
        let one = (prop::sample::select(classes), 0..20_u8, bound(), bound());
        (0..90_u16, prop::collection::vec(one, 0..36)).prop_map(|(soft, list)| {
            let ask =
                |(class, weight, min, max)| Request::new(class, weight, Quota { min, max }, soft);
            (soft, list.into_iter().map(ask).collect())
        })
    }

    proptest! {
        #[test]
        fn s13_grants_fit_and_never_exceed_what_was_asked((soft, requests) in requests()) {
            let grants = allocate(&requests, soft);
            let sum = |part: fn(&Grant) -> u16| grants.iter().map(|g| u32::from(part(g))).sum::<u32>();
            prop_assert!(sum(|g| g.low) <= u32::from(soft));
            prop_assert!(sum(|g| g.high) <= u32::from(soft));
            let critical = requests.iter().filter(|r| r.class == Class::Critical).count();
            for (request, grant) in requests.iter().zip(&grants) {
                prop_assert!(grant.low <= grant.high);
                prop_assert!(grant.low <= request.low && grant.high <= request.high);
                if request.class == Class::Critical && request.low > 0 && usize::from(soft) >= critical {
                    prop_assert!(grant.low >= 1);
                }
            }
        }

        #[test]
        fn connections_handed_out_at_once_are_those_handed_out_one_by_one((soft, requests) in requests()) {
            prop_assert_eq!(allocate(&requests, soft), slowly(&requests, soft));
        }
    }
}
