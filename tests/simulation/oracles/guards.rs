//! Who may be closed for others, and in which phase of a round: 4.13 by the letter, over every connection.
//!
//! Knows only values. Where something can't be known from outside, a connection is neither free nor bound: it is no
//! reason to say that a round went wrong.

use std::collections::BTreeSet;

/// One that is new is left alone, but no more than a quarter of the soft target, or two, at once.
const FEWEST_IN_GRACE: usize = 2;

/// A requirement now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) have: usize,
    pub(crate) min: usize,
    pub(crate) target: usize,
}

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Requirements, by place.
    pub(crate) serves: Vec<usize>,
    /// The user holds or protects the peer.
    pub(crate) kept: bool,
    /// A lock holds it, or the grace after one.
    pub(crate) locked: bool,
    /// Its network; `None`: its peer has addresses in several.
    pub(crate) group: Option<u16>,
    /// The later, the newer.
    pub(crate) age_order: (u64, u64),
    /// Until when it is new.
    pub(crate) new_until: u64,
    /// Protocols that use it, by place; `None`: that can't be seen.
    pub(crate) users: Option<Vec<usize>>,
    /// Left by a burst that ended a while ago.
    pub(crate) leftover: bool,
    /// Everything else about it is known: it is its peer's only connection, and on no way out.
    pub(crate) plain: bool,
}

/// What is built in: guards hold all of its minimum.
pub(crate) const BUILT_IN: (usize, usize) = (usize::MAX, usize::MAX);

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Protocol {
    /// More than this is too much for it, whatever was granted in this input.
    pub(crate) high: usize,
    /// What it requires.
    pub(crate) requirement: Option<usize>,
    /// The least and the most of its minimum that guards hold: what it was granted, if it enrolled (A6).
    pub(crate) funded: (usize, usize),
}

/// Everybody, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Company {
    pub(crate) now: u64,
    pub(crate) soft: usize,
    pub(crate) needs: Vec<Need>,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) members: Vec<Member>,
}

impl Company {
    fn needs_of<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = (usize, Need)> + 'a {
        let places = member.serves.iter();
        places.map(|place| (*place, self.needs[*place]))
    }

    /// Some minimum would break without it, for certain.
    pub(crate) fn at_minimum(&self, member: &Member) -> bool {
        self.breaks_minimum(member, |funded| funded.0)
    }

    fn breaks_minimum(&self, member: &Member, held: impl Fn((usize, usize)) -> usize) -> bool {
        self.needs_of(member).any(|(place, need)| {
            let mut protocols = self.protocols.iter();
            let whose = protocols.find(|protocol| protocol.requirement == Some(place));
            let funded = match whose {
                None
                | Some(Protocol {
                    funded: BUILT_IN, ..
                }) => usize::MAX,
                Some(protocol) => held(protocol.funded),
            };
            let min = need.min.min(funded);
            min > 0 && need.have <= min
        })
    }

    /// Some target would break without it, other than those of `but`.
    fn at_target(&self, member: &Member, but: Option<usize>) -> bool {
        let mut needs = self.needs_of(member);
        needs.any(|(place, need)| Some(place) != but && need.target > 0 && need.have <= need.target)
    }

    /// It is new, and may say so.
    fn is_new(&self, member: &Member) -> bool {
        let most = (self.soft / 4).max(FEWEST_IN_GRACE);
        let newer = self
            .members
            .iter()
            .filter(|other| other.age_order > member.age_order && self.now < other.new_until);
        self.now < member.new_until && newer.count() < most
    }

    /// Without it a requirement that wants several would have them all in one network, perhaps; or fewer of them would be
    /// within the share of their network, while not all that are wanted are (4.3).
    fn last_of_its_network(&self, member: &Member) -> bool {
        self.needs_of(member).any(|(place, need)| {
            let others: Vec<Option<u16>> = self
                .members
                .iter()
                .filter(|other| *other != member && other.serves.contains(&place))
                .map(|other| other.group)
                .collect();
            let known = others.iter().all(Option::is_some) && member.group.is_some();
            let alone = others.iter().all(|group| *group != member.group);
            let one = others.windows(2).all(|pair| pair[0] == pair[1]);
            let share = need.target.div_ceil(2);
            let within = |all: &[Option<u16>]| -> usize {
                let groups: BTreeSet<Option<u16>> = all.iter().copied().collect();
                let of = |group| all.iter().filter(|other| **other == group).count();
                groups.into_iter().map(|group| of(group).min(share)).sum()
            };
            let left = within(&others);
            let with = within(&[others.as_slice(), &[member.group]].concat());
            let fewer = left < with && left < need.target.min(others.len());
            need.target >= 2 && !others.is_empty() && (!known || (alone && one) || fewer)
        })
    }

    /// Whether a guard of phases 2 to 5 holds it for certain. `but`: whose target may break in phase 4.
    pub(crate) fn is_bound(&self, member: &Member, but: Option<usize>) -> bool {
        let lasting = member.kept || member.locked || self.at_minimum(member);
        lasting || self.at_target(member, but)
    }

    /// Whether no guard holds it for certain.
    fn is_free(&self, member: &Member, but: Option<usize>) -> bool {
        let held = self.is_bound(member, but)
            || self.breaks_minimum(member, |funded| funded.1)
            || self.is_new(member)
            || self.last_of_its_network(member);
        member.plain && !held
    }

    /// Nobody uses it, for certain.
    pub(crate) fn is_unused(&self, member: &Member) -> bool {
        member.users.as_ref().is_some_and(Vec::is_empty)
    }

    /// What a protocol uses, in parts of a connection; `None`: that can't be seen.
    fn share(&self, protocol: usize) -> Option<usize> {
        let mut share = 0;
        for member in &self.members {
            let users = member.users.as_ref()?;
            if users.contains(&protocol) {
                share += PARTS / users.len();
            }
        }
        Some(share)
    }

    /// Protocols that use more than their share, beyond any rounding.
    fn offenders(&self) -> Vec<usize> {
        let places = 0..self.protocols.len();
        let over = |place: &usize| {
            let most = self.protocols[*place].high * PARTS + PARTS / 8;
            self.share(*place).is_some_and(|share| share > most)
        };
        places.filter(over).collect()
    }

    /// Whether a protocol that uses too much could pay with it, for certain.
    pub(crate) fn pays(&self, member: &Member) -> bool {
        self.offenders().into_iter().any(|offender| {
            let users = member.users.as_ref();
            let its_own = self.protocols[offender].requirement;
            users.is_some_and(|users| users.contains(&offender)) && self.is_free(member, its_own)
        })
    }

    /// Whom a phase could close, for certain: the first of them.
    pub(crate) fn candidate(&self, phase: u8) -> Option<&Member> {
        self.members.iter().find(|member| match phase {
            2 => member.leftover && self.is_free(member, None),
            3 => self.is_unused(member) && self.is_free(member, None),
            4 => self.pays(member),
            5 => self.is_free(member, None),
            _ => false,
        })
    }
}

/// Divisible by as many as may use one connection.
const PARTS: usize = 5_040;

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u64, serves: &[usize]) -> Member {
        Member {
            serves: serves.to_vec(),
            kept: false,
            locked: false,
            group: Some(u16::try_from(n).expect("few")),
            age_order: (n, n),
            new_until: 0,
            users: Some(serves.to_vec()),
            leftover: false,
            plain: true,
        }
    }

    fn company(members: Vec<Member>) -> Company {
        let have = |place: usize| {
            let serving = members.iter().filter(|m| m.serves.contains(&place));
            serving.count()
        };
        let need = |place, min, target| Need {
            have: have(place),
            min,
            target,
        };
        Company {
            now: 100,
            soft: 16,
            needs: vec![need(0, 1, 1), need(1, 0, 1)],
            protocols: vec![
                Protocol {
                    high: 1,
                    requirement: Some(0),
                    funded: BUILT_IN,
                },
                Protocol {
                    high: 9,
                    requirement: Some(1),
                    funded: BUILT_IN,
                },
            ],
            members,
        }
    }

    #[test]
    fn who_serves_nothing_goes_first_and_who_is_kept_never() {
        let idle = member(3, &[]);
        let mut all = company(vec![member(1, &[0]), member(2, &[1]), idle.clone()]);
        assert_eq!(all.candidate(3), Some(&idle));
        all.members[2].kept = true;
        assert_eq!(all.candidate(3), None);
        assert!(all.is_bound(&all.members[2], None));
    }

    #[test]
    fn the_offender_pays_with_its_own_target_but_not_with_a_minimum() {
        let mut all = company(vec![member(1, &[0]), member(2, &[0])]);
        // Two against a share of one.
        assert_eq!(all.candidate(4), Some(&all.members[0]));
        all.needs[0].target = 2;
        all.members[1].group = all.members[0].group;
        assert!(all.candidate(4).is_some());
        assert_eq!(all.candidate(5), None);
        all.needs[0].min = 2;
        assert_eq!(all.candidate(4), None);
    }

    #[test]
    fn only_so_many_are_new_and_the_oldest_first_no_more() {
        let mut all = company((0..6).map(|n| member(n, &[])).collect());
        all.soft = 4;
        for member in &mut all.members {
            member.new_until = 200;
        }
        let new = all.members.iter().filter(|member| all.is_new(member));
        assert_eq!(
            new.map(|member| member.age_order.0).collect::<Vec<_>>(),
            [4, 5]
        );
    }

    #[test]
    fn who_is_within_the_share_of_its_network_stays_where_others_are_beyond_theirs() {
        let mut all = company((1..=5).map(|n| member(n, &[1])).collect());
        all.needs[1].target = 4;
        for place in 0..3 {
            all.members[place].group = Some(1);
        }
        // Of three of one network two count.
        let stays = |place: usize| all.last_of_its_network(&all.members[place]);
        assert_eq!(
            [0, 1, 2, 3, 4].map(stays),
            [false, false, false, true, true]
        );
    }

    #[test]
    fn the_last_of_a_network_stays_where_several_are_wanted() {
        let mut all = company(vec![member(1, &[1]), member(2, &[1]), member(3, &[1])]);
        all.needs[1].target = 2;
        all.members[1].group = Some(1);
        assert!(all.last_of_its_network(&all.members[2]));
        assert!(!all.last_of_its_network(&all.members[0]));
        assert_eq!(all.candidate(5), Some(&all.members[0]));
    }
}
