//! Many connections for a short time (4.10).

use lightkeeper::manager::{
    Bound, BurstAnswer, BurstId, Command, DialWhy, EnrollmentId, Event, Health, Priority,
    ProtocolSpec, Quota, Reason,
};

use crate::enrollment::spec;
use crate::world::{ALL, STORE, World, need};

const CHAT: EnrollmentId = EnrollmentId(1);
const GAME: EnrollmentId = EnrollmentId(2);

/// A protocol that every node of the world serves.
fn served(name: &str) -> ProtocolSpec {
    ProtocolSpec {
        protocols: vec!["/store/3".to_owned()],
        quota: Quota {
            min: Some(Bound::Count(4)),
            max: None,
        },
        ..spec(name, Some(need(0, 1, 1)))
    }
}

impl World {
    fn open_burst(&mut self, burst: u64, enrollment: EnrollmentId, slots: u8, max_ms: u64) {
        self.tell(Event::OpenBurst {
            burst: BurstId(burst),
            enrollment,
            slots,
            max_ms,
        });
    }

    fn close_burst(&mut self, burst: u64) {
        self.tell(Event::CloseBurst {
            burst: BurstId(burst),
        });
    }

    fn bursts_since(&self, mark: usize) -> Vec<(u64, BurstAnswer)> {
        let orders = self.orders[mark..].iter();
        orders
            .filter_map(|order| match &order.command {
                Command::Burst { burst, answer } => Some((burst.0, *answer)),
                _ => None,
            })
            .collect()
    }

    fn open(&self) -> usize {
        self.manager.stats().open as usize
    }
}

/// A node whose needs are met, a protocol enrolled, and others known who could be dialed.
fn settled() -> World {
    let mut world = World::offline_trees();
    for _ in 0..10 {
        let place = world.node(&ALL);
        world.named(place);
    }
    world.enroll(CHAT, served("chat"));
    world.start();
    world.run(300_000);
    assert_eq!(world.health(), Health::Met);
    world
}

#[test]
fn a_burst_makes_connections_beyond_what_is_needed_and_leaves_none_behind() {
    let mut world = settled();
    let (mark, before) = (world.mark(), world.open());
    world.open_burst(1, CHAT, 3, 30_000);
    world.run(5_000);
    let dials = world.dials_since(mark);
    assert_eq!(dials.len(), 3);
    assert!(
        dials
            .iter()
            .all(|(_, _, why)| *why == DialWhy::Burst(BurstId(1)))
    );
    assert_eq!(world.open(), before + 3);
    world.run(20_000);
    assert_eq!(world.open(), before + 3, "nothing goes while it is open");
    world.close_burst(1);
    world.run(30_000);
    assert_eq!(
        world.bursts_since(mark),
        [
            (1, BurstAnswer::Granted { slots: 3 }),
            (1, BurstAnswer::Closed)
        ]
    );
    assert_eq!(world.open(), before);
    assert_eq!(world.closes_since(mark), [Reason::BurstOver; 3]);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_burst_ends_at_its_deadline_and_its_slots_are_bounded_by_the_hard_cap() {
    let mut world = settled();
    // Everything is the protocol's, but one place.
    for id in ALL {
        world.set_need(id, need(0, 2, 4));
    }
    let before = u8::try_from(world.open()).unwrap();
    world.tell(Event::SetLimits {
        soft: Some(u16::from(before) + 2),
        hard: Some(u16::from(before) + 2),
    });
    world.run(10_000);
    let mark = world.mark();
    world.open_burst(1, CHAT, 9, 400_000);
    assert_eq!(
        world.bursts_since(mark),
        [(1, BurstAnswer::Granted { slots: 2 })]
    );
    world.run(59_999);
    assert_eq!(world.open(), usize::from(before) + 2);
    world.run(1);
    assert_eq!(
        world.bursts_since(mark).last(),
        Some(&(1, BurstAnswer::Closed))
    );
    world.run(30_000);
    assert_eq!(world.open(), usize::from(before));
}

#[test]
fn a_lower_hard_cap_closes_what_is_idle_before_what_a_burst_uses_s11() {
    let mut world = settled();
    let idle = world.node(&[]);
    world.connects_by_itself(idle);
    world.open_burst(1, CHAT, 2, 30_000);
    world.run(10_000);
    let open = u16::try_from(world.open()).unwrap();
    assert!(world.connected(idle));
    let mark = world.mark();
    world.tell(Event::SetLimits {
        soft: Some(open - 2),
        hard: Some(open - 1),
    });
    world.run(1_000);
    assert_eq!(world.closes_since(mark), [Reason::Idle]);
}

#[test]
fn bursts_do_not_nest_and_strangers_get_none() {
    let mut world = settled();
    world.enroll(GAME, spec("game", None));
    let mark = world.mark();
    world.open_burst(1, CHAT, 1, 30_000);
    world.open_burst(2, CHAT, 1, 30_000);
    world.open_burst(3, EnrollmentId(9), 1, 30_000);
    world.open_burst(4, GAME, 1, 30_000);
    assert_eq!(
        world.bursts_since(mark),
        [
            (1, BurstAnswer::Granted { slots: 1 }),
            (2, BurstAnswer::Denied(Reason::OverBudget)),
            (3, BurstAnswer::Denied(Reason::NotEnrolled)),
            (4, BurstAnswer::Denied(Reason::NoRoute)),
        ]
    );
}

#[test]
fn a_connection_of_a_burst_that_somebody_uses_by_then_stays() {
    let mut world = settled();
    let mark = world.mark();
    world.open_burst(1, CHAT, 2, 30_000);
    world.run(5_000);
    let (_, kept, _) = world.dials_since(mark)[0];
    let peer = world.nodes[kept].id;
    world.tell(Event::Protect {
        peer,
        tag: "mine".to_owned(),
    });
    world.close_burst(1);
    world.run(120_000);
    assert!(world.connected(kept));
    let closes = world.closes_since(mark);
    let over = closes.iter().filter(|why| **why == Reason::BurstOver);
    assert_eq!(over.count(), 1, "{closes:?}");
}

#[test]
fn leaving_and_stopping_end_bursts_once() {
    let mut world = settled();
    let mark = world.mark();
    world.open_burst(1, CHAT, 2, 30_000);
    world.tell(Event::Withdraw { enrollment: CHAT });
    world.tell(Event::Stop);
    world.close_burst(1);
    world.run(60_000);
    assert_eq!(
        world.bursts_since(mark),
        [
            (1, BurstAnswer::Granted { slots: 2 }),
            (1, BurstAnswer::Closed)
        ]
    );
}

#[test]
fn what_a_burst_leaves_behind_goes_ten_seconds_after_it_however_new_it_is_s12() {
    let mut world = settled();
    let fresh = world.node(&[STORE]);
    world.nodes[fresh].identifies = false;
    world.nodes[fresh].claims = vec![STORE];
    world.set_priority(fresh, Priority::High);
    world.named(fresh);
    let (mark, before) = (world.mark(), world.open());
    world.open_burst(1, CHAT, 1, 30_000);
    world.run(100);
    assert_eq!(world.open(), before + 1);
    world.close_burst(1);
    world.run(8_000);
    // It comes to be known so late that it would be new for some seconds more.
    let conn = world.conns_of(fresh)[0];
    world.tell(Event::Identified {
        conn,
        protocols: vec!["/store/3".to_owned()],
        agent: String::new(),
    });
    world.run(2_100);
    assert_eq!(world.closes_since(mark), [Reason::BurstOver]);
    assert_eq!(world.open(), before);
}
