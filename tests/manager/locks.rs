//! Connections that a protocol wants left alone for a while (4.9).

use lightkeeper::manager::{
    Bound, CloseCause, Command, EnrollmentId, Event, Health, LockAnswer, LockDenial, LockId, Need,
    Outcome, Priority, ProtocolSpec, Quota, Reason, Revocation, Source, Transport,
};

use crate::enrollment::spec;
use crate::world::{ALL, Fleet, LIGHT_PUSH, STORE, World, config, need};

const CHAT: EnrollmentId = EnrollmentId(1);
const GAME: EnrollmentId = EnrollmentId(2);

impl World {
    pub(crate) fn lock(&mut self, lock: u64, enrollment: EnrollmentId, place: usize, ttl_ms: u64) {
        let peer = self.nodes[place].id;
        let lock = LockId(lock);
        self.tell(Event::Lock {
            lock,
            enrollment,
            peer,
            ttl_ms,
        });
    }

    fn extend(&mut self, lock: u64, ttl_ms: u64) {
        let lock = LockId(lock);
        self.tell(Event::ExtendLock { lock, ttl_ms });
    }

    fn unlock(&mut self, lock: u64) {
        self.tell(Event::Unlock { lock: LockId(lock) });
    }

    pub(crate) fn locks_since(&self, mark: usize) -> Vec<(u64, u64, LockAnswer)> {
        let orders = self.orders[mark..].iter();
        orders
            .filter_map(|order| match &order.command {
                Command::Lock { lock, answer } => Some((order.at, lock.0, *answer)),
                _ => None,
            })
            .collect()
    }

    fn answers(&self, mark: usize) -> Vec<(u64, LockAnswer)> {
        let answers = self.locks_since(mark).into_iter();
        answers.map(|(_, lock, answer)| (lock, answer)).collect()
    }
}

fn granted(ttl_ms: u64) -> LockAnswer {
    LockAnswer::Granted { ttl_ms }
}

fn revoked(reason: Revocation, grace_ms: u64) -> LockAnswer {
    LockAnswer::Revoked { reason, grace_ms }
}

fn least(count: u16) -> ProtocolSpec {
    ProtocolSpec {
        quota: Quota {
            min: Some(Bound::Count(count)),
            max: Some(Bound::Count(count)),
        },
        ..spec("chat", None)
    }
}

/// As many connections as there are nodes, all of them needed, and a protocol that may lock four of them.
fn connected(count: u8) -> World {
    let mut world = World::offline_trees();
    world.set_need(
        STORE,
        Need {
            min: 0,
            target: count,
            max: count,
        },
    );
    for _ in 0..count {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.enroll(CHAT, least(4));
    world.start();
    world.run(30_000);
    assert_eq!(world.health(), Health::Met);
    world
}

#[test]
fn a_lock_holds_for_its_time_and_ends_once() {
    let mut world = connected(3);
    let mark = world.mark();
    world.lock(1, CHAT, 0, 30_000);
    assert_eq!(world.answers(mark), [(1, granted(30_000))]);
    assert_eq!(world.manager.stats().locks, 1);
    let chat = world.protocol("chat").expect("enrolled");
    assert_eq!((chat.connections, chat.locked), (1, 1));
    world.run(29_999);
    assert_eq!(world.answers(mark).len(), 1);
    world.run(60_000);
    assert_eq!(
        world.answers(mark),
        [(1, granted(30_000)), (1, LockAnswer::Ended)]
    );
    world.unlock(1);
    assert_eq!(world.answers(mark).len(), 2);
    assert_eq!(world.manager.stats().locks, 0);
}

#[test]
fn a_locked_connection_that_nobody_needs_stays_until_it_is_given_back() {
    let mut world = connected(3);
    world.lock(1, CHAT, 0, 300_000);
    let mark = world.mark();
    world.set_need(STORE, need(0, 0, 0));
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.run(120_000);
    assert!(world.connected(0) && !world.connected(1) && !world.connected(2));
    assert_eq!(world.closes_since(mark).len(), 2);
    world.unlock(1);
    world.run(60_000);
    assert!(!world.connected(0));
}

#[test]
fn a_locked_connection_outlives_the_cap_of_its_transport() {
    let mut world = connected(4);
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.lock(1, CHAT, 0, 300_000);
    let transport = Transport::Ws;
    world.tell(Event::SetMaxByTransport {
        transport,
        max: Some(0),
    });
    world.run(5_000);
    assert!(world.connected(0) && !world.connected(1));
    let mark = world.mark();
    world.unlock(1);
    assert_eq!(world.closes_since(mark), [Reason::TransportLimit]);
}

#[test]
fn a_lock_may_be_renewed_three_times() {
    let mut world = connected(2);
    world.lock(1, CHAT, 0, 10_000);
    let mark = world.mark();
    for _ in 0..3 {
        world.run(9_000);
        world.extend(1, 10_000);
    }
    world.run(9_000);
    world.extend(1, 10_000);
    let denied = LockAnswer::Denied(LockDenial::RenewedTooOften);
    let told = [granted(10_000), granted(10_000), granted(10_000), denied];
    assert_eq!(world.answers(mark), told.map(|answer| (1, answer)));
    // What is not renewed lasts until its time.
    world.run(999);
    assert_eq!(world.manager.stats().locks, 1);
    world.run(1);
    assert_eq!(world.manager.stats().locks, 0);
}

#[test]
fn locks_are_denied_by_the_first_rule_that_forbids_them() {
    let mut world = connected(6);
    let stranger = world.node(&ALL);
    let mark = world.mark();
    world.lock(1, GAME, 0, 1_000);
    world.lock(2, CHAT, 0, 300_001);
    world.lock(3, CHAT, stranger, 1_000);
    for place in 0..4 {
        world.lock(10 + place as u64, CHAT, place, 100_000);
    }
    world.lock(4, CHAT, 4, 1_000);
    world.extend(99, 1_000);
    let denials: Vec<_> = world
        .answers(mark)
        .into_iter()
        .filter_map(|(lock, answer)| match answer {
            LockAnswer::Denied(denial) => Some((lock, denial)),
            _ => None,
        })
        .collect();
    assert_eq!(
        denials,
        [
            (1, LockDenial::NotEnrolled),
            (2, LockDenial::TtlTooLong),
            (3, LockDenial::NotConnected),
            (4, LockDenial::QuotaExceeded),
            (99, LockDenial::NotEnrolled),
        ]
    );
    // A second lock on a connection that it holds costs no more.
    let mark = world.mark();
    world.lock(5, CHAT, 3, 1_000);
    assert_eq!(world.answers(mark), [(5, granted(1_000))]);
}

#[test]
fn three_quarters_of_the_connections_may_be_locked() {
    let mut config = config(false);
    config.soft_connections = 8;
    config.hard_connections = 10;
    let mut world = World::with(config, 1);
    // Everything is the protocol's, but one place.
    for id in ALL {
        world.set_need(id, need(0, 7, 7));
    }
    for _ in 0..7 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.enroll(CHAT, least(7));
    world.start();
    world.run(30_000);
    let mark = world.mark();
    for place in 0..7 {
        world.lock(place as u64, CHAT, place, 100_000);
    }
    let answers = world.answers(mark);
    assert!(
        answers[..6]
            .iter()
            .all(|(_, answer)| *answer == granted(100_000))
    );
    assert_eq!(answers[6], (6, LockAnswer::Denied(LockDenial::LockBudget)));
}

#[test]
fn several_locks_on_one_connection_are_independent() {
    let mut world = connected(2);
    world.enroll(GAME, spec("game", None));
    world.lock(1, CHAT, 0, 100_000);
    world.lock(2, GAME, 0, 100_000);
    world.unlock(1);
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.run(60_000);
    assert!(world.connected(0) && !world.connected(1));
}

#[test]
fn a_ban_revokes_at_once() {
    let mut world = connected(2);
    world.lock(1, CHAT, 0, 100_000);
    let mark = world.mark();
    world.set_priority(0, Priority::Banned);
    assert_eq!(world.answers(mark), [(1, revoked(Revocation::Ban, 0))]);
    assert_eq!(world.closes_since(mark), [Reason::BannedByUser]);
}

#[test]
fn a_lost_connection_and_a_stop_end_its_locks_and_a_reconnect_revives_none() {
    let mut world = connected(2);
    world.lock(1, CHAT, 0, 100_000);
    world.lock(2, CHAT, 1, 100_000);
    let mark = world.mark();
    world.lose(0, CloseCause::Broken);
    assert_eq!(
        world.answers(mark),
        [(1, revoked(Revocation::ConnectionLost, 0))]
    );
    world.run(60_000);
    assert!(world.connected(0));
    assert_eq!(world.manager.stats().locks, 1);
    let mark = world.mark();
    world.tell(Event::Stop);
    assert_eq!(world.answers(mark), [(2, revoked(Revocation::Stop, 0))]);
}

#[test]
fn a_protocol_that_leaves_takes_its_locks_along() {
    let mut world = connected(2);
    world.lock(1, CHAT, 0, 100_000);
    let mark = world.mark();
    world.tell(Event::Withdraw { enrollment: CHAT });
    assert_eq!(
        world.answers(mark),
        [(1, revoked(Revocation::Withdrawn, 0))]
    );
    world.run(200_000);
    assert_eq!(world.answers(mark).len(), 1);
}

#[test]
fn a_share_that_shrinks_revokes_the_youngest_locks_after_a_grace() {
    let mut world = connected(4);
    world.tell(Event::Withdraw { enrollment: CHAT });
    world.enroll(GAME, spec("game", None));
    for place in 0..3 {
        world.lock(place as u64, GAME, place, 100_000);
    }
    let mark = world.mark();
    // Somebody who may have nearly all.
    world.enroll(CHAT, least(13));
    let high = world
        .protocol("game")
        .expect("enrolled")
        .granted
        .expect("enrolled")
        .high;
    assert!(high < 3);
    let gone: Vec<u64> = (u64::from(high)..3).rev().collect();
    let mut told: Vec<_> = world.answers(mark);
    assert!(
        told.iter()
            .all(|(_, a)| *a == revoked(Revocation::QuotaBreach, 2_000))
    );
    told.sort_by_key(|(lock, _)| core::cmp::Reverse(*lock));
    assert_eq!(told.iter().map(|(lock, _)| *lock).collect::<Vec<_>>(), gone);
    // During the grace its connection can't be locked again, nor its lock be renewed.
    let mark = world.mark();
    world.lock(50, CHAT, 2, 1_000);
    world.extend(2, 1_000);
    let draining = LockAnswer::Denied(LockDenial::Draining);
    assert_eq!(world.answers(mark), [(50, draining), (2, draining)]);
    world.run(2_000);
    world.lock(51, CHAT, 2, 1_000);
    assert_eq!(world.answers(mark).last(), Some(&(51, granted(1_000))));
}

#[test]
fn a_provider_that_failed_is_replaced_and_kept_while_it_is_locked() {
    let (mut world, Fleet { all, .. }) = World::fleet();
    world.enroll(CHAT, spec("chat", None));
    world.start();
    world.run(30_000);
    let first = all.into_iter().find(|place| world.connected(*place));
    let first = first.expect("one of them serves");
    world.lock(1, CHAT, first, 100_000);
    for id in ALL {
        world.report(first, id, Outcome::Busy);
    }
    world.run(30_000);
    assert_eq!(world.health(), Health::Met);
    assert!(world.connected(first));
    assert!(!world.serves(first, LIGHT_PUSH));
}

#[test]
fn no_protocol_takes_all_locks_from_the_others() {
    let mut world = connected(2);
    world.enroll(GAME, spec("game", None));
    for lock in 0..300 {
        world.lock(lock, CHAT, 0, 100_000);
    }
    assert_eq!(world.manager.stats().locks, 64);
    let mark = world.mark();
    world.lock(1_000, GAME, 1, 1_000);
    assert_eq!(world.answers(mark), [(1_000, granted(1_000))]);
}
