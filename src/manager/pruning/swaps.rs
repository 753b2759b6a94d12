//! Who could do the work of more of them than they are (4.6): one for two, or two for three.
//!
//! Of connections only those count that are needed: what is surplus goes anyway. Who is dialed for them was verified
//! once, and did not do worse. Owns nothing.

use core::cell::LazyCell;

use crate::manager::Manager;
use crate::manager::book::peer::Peer;
use crate::manager::boundary::event::ConnId;
use crate::manager::dialing::diversity::Census;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::pruning::relief::{For, Wish};
use crate::manager::pruning::surplus::{Candidate, Cover, Sorted};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;

/// Of those who were verified once, how many are looked at. Who serves most stands first.
const SUCCESSORS: usize = 128;
/// How many kinds of these, by what they serve, are looked at for each three that could go.
const KINDS: usize = 32;

/// Who was verified once, and could be dialed.
struct Proven {
    peers: Vec<(Ix, Services)>,
    /// What they serve, each once.
    kinds: Vec<Services>,
    /// As much as one of them serves.
    widest: usize,
}

impl Proven {
    fn new(peers: Vec<(Ix, Services)>) -> Self {
        let mut kinds: Vec<Services> = Vec::new();
        for (_, services) in &peers {
            if !kinds.contains(services) {
                kinds.push(*services);
            }
        }
        let widest = kinds.iter().map(|kind| kind.len()).max().unwrap_or(0);
        Self {
            peers,
            kinds,
            widest,
        }
    }

    /// Whether anybody serves all of this.
    fn can(&self, needed: Services) -> bool {
        let mut kinds = self.kinds.iter();
        needed.len() <= self.widest && kinds.any(|kind| needed.minus(*kind).is_empty())
    }

    /// The first who does, of those that `fits` admits.
    fn first<T>(&self, needed: Services, fits: impl Fn(Ix, Services) -> Option<T>) -> Option<T> {
        let mut able = self.peers.iter();
        able.find_map(|(ix, services)| {
            let all = needed.minus(*services).is_empty();
            all.then(|| fits(*ix, *services)).flatten()
        })
    }
}

/// Requirements by how many providers they have beyond the target.
struct Slack {
    short: Services,
    /// None, one, two.
    beyond: [Services; 3],
}

impl Slack {
    /// What is missing without these three: at least once, and twice. `None`: two others could not make it good.
    fn missed(&self, [a, b, c]: [Services; 3]) -> Option<[Services; 2]> {
        let once = a.union(b).union(c);
        let twice = a.and(b).union(a.and(c)).union(b.and(c));
        let thrice = a.and(b).and(c);
        let [none, one, two] = self.beyond;
        let too_much = thrice.and(none).union(once.and(self.short));
        too_much.is_empty().then(|| {
            [
                once.and(none).union(twice.and(one)).union(thrice.and(two)),
                twice.and(none).union(thrice.and(one)),
            ]
        })
    }

    /// What one other has to serve for two to go.
    fn missed_of_two(&self, [first, second]: [&Candidate; 2]) -> Option<Services> {
        let [once, twice] = self.missed([first.serving, second.serving, Services::NONE])?;
        twice.is_empty().then_some(once)
    }
}

impl Manager {
    /// Whoever is to be dialed so that fewer do what is needed: they go when it serves.
    pub(in crate::manager::pruning) fn wish_for_swap(&self, sorted: &Sorted) -> Option<Wish> {
        if sorted.rest.len() < 2 {
            return None;
        }
        let slack = self.slack(&sorted.cover);
        let proven = Proven::new(self.candidates.proven().take(SUCCESSORS).collect());
        self.one_for_two(sorted, &slack, &proven)
            .or_else(|| self.two_for_three(sorted, &slack, &proven))
    }

    fn slack(&self, cover: &Cover) -> Slack {
        let beyond = |spare: i16| {
            let has = |id| i16::from(cover.of(id)) - i16::from(self.target(id)) == spare;
            self.needs.ids().filter(|id| has(*id)).collect()
        };
        let short = |id| cover.of(id) < self.target(id);
        Slack {
            short: self.needs.ids().filter(|id| short(*id)).collect(),
            beyond: [beyond(0), beyond(1), beyond(2)],
        }
    }

    fn one_for_two(&self, sorted: &Sorted, slack: &Slack, proven: &Proven) -> Option<Wish> {
        // Mostly nobody could do what two do: then no records are looked at, and nobody is weighed.
        let needed_of = |pair| {
            let needed = slack.missed_of_two(pair);
            needed.filter(|needed| proven.can(*needed))
        };
        let mut some: Vec<Candidate> = Vec::new();
        for one in pairs(&sorted.rest)
            .filter(|pair| needed_of(*pair).is_some())
            .flatten()
        {
            if some.iter().all(|other| other.id != one.id) {
                some.push(*one);
            }
        }
        if some.is_empty() {
            return None;
        }
        let some = self.in_turn(some);
        let census = LazyCell::new(|| self.census());
        pairs(&some).find_map(|pair| {
            let needed = needed_of(pair)?;
            let ids = pair.map(|one| one.id);
            let ix = proven.first(needed, |ix, serves| {
                let fits = self.not_worse(ix, needed, &pair);
                let group = fits.then(|| self.stands_in(ix, &census)).flatten()?;
                self.keeps_spread(&ids, &[(group, serves)]).then_some(ix)
            })?;
            Some(self.swap(For::Swap(ids), ix, needed))
        })
    }

    /// One of three is exchanged for the first of two who can do what they do. When it is gone, the second can do the
    /// work of two.
    fn two_for_three(&self, sorted: &Sorted, slack: &Slack, proven: &Proven) -> Option<Wish> {
        // Else whoever is exchanged would be kept warm.
        if sorted.surplus.len() < usize::from(self.config.spare_connections) {
            return None;
        }
        let rest = &sorted.rest;
        for (place, c) in rest.iter().enumerate() {
            for [a, b] in pairs(&rest[..place]) {
                let three = [a, b, c];
                let Some([once, twice]) = slack.missed(three.map(|one| one.serving)) else {
                    continue;
                };
                if once.len() + twice.len() > 2 * proven.widest {
                    continue;
                }
                let firsts = proven.kinds.iter().take(KINDS);
                let mut firsts = firsts.filter(|kind| twice.minus(**kind).is_empty());
                let wish = firsts.find_map(|kind| {
                    let second = once.minus(*kind).union(twice);
                    let known = proven.can(second);
                    known.then(|| self.exchange(three, [once.and(*kind), second], slack, proven))?
                });
                if wish.is_some() {
                    return wish;
                }
            }
        }
        None
    }

    /// One of three for the first of two, who are to do these. Both are of netgroups where nobody is, and do not fail:
    /// or else the second step might, for what is known at the first.
    fn exchange(
        &self,
        three: [&Candidate; 3],
        [first, second]: [Services; 2],
        slack: &Slack,
        proven: &Proven,
    ) -> Option<Wish> {
        let gone = three.into_iter().find(|one| {
            let missed = slack.missed([one.serving, Services::NONE, Services::NONE]);
            missed.is_some_and(|[needed, _]| needed.minus(first).is_empty())
        })?;
        let census = self.census();
        let able = |needed: Services, gone: &[&Candidate], before: &[(u64, Services)]| {
            let ids: Vec<ConnId> = gone.iter().map(|one| one.id).collect();
            proven.first(needed, |ix, serves| {
                let peer = self.table.get(ix)?;
                let fits = peer.attempts().level() == 0 && self.not_worse(ix, needed, gone);
                let group = fits.then(|| self.stands_in(ix, &census)).flatten()?;
                let new = census.is_new(group) && before.iter().all(|other| other.0 != group);
                let come = [before, &[(group, serves)]].concat();
                (new && self.keeps_spread(&ids, &come)).then_some((ix, come))
            })
        };
        let (ix, come) = able(first, &[gone], &[])?;
        able(second, &three, &come)?;
        Some(self.swap(For::Exchange(gone.id), ix, first))
    }

    /// Needs come one after another: nobody is dialed until they stand.
    fn swap(&self, what: For, whom: Ix, needed: Services) -> Wish {
        Wish {
            what,
            whom: Some(whom),
            needed,
            after_ms: self.config.surplus_grace_ms,
        }
    }

    /// The netgroup where a peer may be dialed to stand in for others.
    fn stands_in(&self, ix: Ix, census: &Census) -> Option<u64> {
        let admitted = self.admits(ix, Purpose::Relief, census)?;
        (!admitted.relaxed).then_some(admitted.route.group)
    }

    /// Whether a peer is cared for as much as these, and did not do worse. Above nothing, one quality is as good as
    /// another: who is not used earns none.
    fn not_worse(&self, ix: Ix, needed: Services, those: &[&Candidate]) -> bool {
        let Some(peer) = self.table.get(ix) else {
            return false;
        };
        let quality = |peer: &Peer, id| peer.quality(id, self.now.mono_ms).min(0);
        those.iter().all(|candidate| {
            let Some(other) = self.table.get(candidate.ix) else {
                return false;
            };
            let mut served = needed.and(candidate.serving).iter();
            peer.priority() >= other.priority()
                && served.all(|id| quality(peer, id) >= quality(other, id))
        })
    }
}

/// Each two of these.
fn pairs(all: &[Candidate]) -> impl Iterator<Item = [&Candidate; 2]> {
    let each = all.iter().enumerate();
    each.flat_map(|(place, first)| all[place + 1..].iter().map(move |second| [first, second]))
}
