//! What each pressure may break, and what holds against all but the last (4.13, guards; phases 5 to 7).

use lightkeeper::manager::{
    Bound, CloseCause, EnrollmentId, Event, Guard, LockAnswer, LockId, ProtocolSpec, Quota, Reason,
    Revocation,
};

use crate::enrollment::spec;
use crate::guards::{connected, guarded, wanting};
use crate::world::{LIGHT_PUSH, World};

const CHAT: EnrollmentId = EnrollmentId(1);

impl World {
    fn memory(&mut self, used: u64) {
        self.tell(Event::Memory { used, limit: 100 });
    }

    fn protect(&mut self, place: usize) {
        let (peer, tag) = (self.nodes[place].id, "mine".to_owned());
        self.tell(Event::Protect { peer, tag });
    }

    fn enroll_chat(&mut self, most: u16) {
        let bound = Some(Bound::Count(most));
        let quota = Quota {
            min: bound,
            max: bound,
        };
        self.enroll(
            CHAT,
            ProtocolSpec {
                quota,
                ..spec("chat", None)
            },
        );
    }

    fn revoked(&self) -> Vec<Revocation> {
        let answers = self.locks_since(0).into_iter();
        answers
            .filter_map(|(_, _, answer)| match answer {
                LockAnswer::Revoked { reason, .. } => Some(reason),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn whoever_a_tag_protects_is_guarded_until_the_last_tag_is_gone() {
    let mut world = wanting(0, 0);
    let place = connected(&mut world, &[LIGHT_PUSH]);
    world.protect(place);
    world.run(20_000);
    assert_eq!(guarded(&mut world, place), Some(Guard::Protected));
    let (peer, tag) = (world.nodes[place].id, "mine".to_owned());
    world.tell(Event::Unprotect { peer, tag });
    assert_eq!(guarded(&mut world, place), None);
}

#[test]
fn a_locked_connection_is_guarded_until_the_lock_is_given_back() {
    let mut world = wanting(0, 0);
    world.enroll_chat(2);
    let place = connected(&mut world, &[LIGHT_PUSH]);
    world.lock(1, CHAT, place, 60_000);
    world.run(20_000);
    assert_eq!(guarded(&mut world, place), Some(Guard::Locked));
    world.tell(Event::Unlock { lock: LockId(1) });
    assert_eq!(guarded(&mut world, place), None);
}

/// Memory is short: locks give way after their grace, what the user protects does not.
#[test]
fn memory_that_is_short_breaks_locks_with_their_grace_and_no_protection() {
    let mut world = wanting(0, 0);
    world.enroll_chat(4);
    let places: Vec<usize> = (0..8)
        .map(|_| connected(&mut world, &[LIGHT_PUSH]))
        .collect();
    for (lock, place) in (1..).zip(&places[..4]) {
        world.lock(lock, CHAT, *place, 60_000);
    }
    for place in &places[4..] {
        world.protect(*place);
    }
    world.run(10_000);
    let mark = world.mark();
    for _ in 0..8 {
        world.memory(90);
        world.run(5_000);
    }
    assert!(world.revoked().contains(&Revocation::Memory));
    let closed = world.closes_since(mark);
    assert!(!closed.is_empty());
    assert!(
        closed
            .iter()
            .all(|reason| *reason == Reason::MemoryPressure)
    );
    for place in &places[4..] {
        assert!(world.connected(*place), "{place} is protected");
    }
}

/// All but used up: nothing holds any more but the floor of what is allowed.
#[test]
fn memory_that_is_all_but_used_up_breaks_what_the_user_holds() {
    let mut world = wanting(0, 0);
    let places: Vec<usize> = (0..8)
        .map(|_| connected(&mut world, &[LIGHT_PUSH]))
        .collect();
    for place in &places[..4] {
        world.protect(*place);
    }
    for place in &places[4..] {
        world.connect_now(*place);
    }
    world.run(10_000);
    let mark = world.mark();
    for _ in 0..12 {
        world.memory(99);
        world.run(5_000);
    }
    let closed = world.closes_since(mark);
    assert!(!closed.is_empty(), "whatever the user holds");
    assert!(
        closed
            .iter()
            .all(|reason| *reason == Reason::MemoryPressure)
    );
}

/// A world of so many providers, all locked, of which two are needed.
fn locked(count: u64) -> (World, Vec<usize>) {
    let mut world = wanting(2, 2);
    world.enroll_chat(8);
    let places: Vec<usize> = (0..count)
        .map(|_| connected(&mut world, &[LIGHT_PUSH]))
        .collect();
    for (lock, place) in (1..).zip(&places) {
        world.lock(lock, CHAT, *place, 60_000);
    }
    world.run(20_000);
    (world, places)
}

fn set_hard(world: &mut World, hard: u16) {
    world.tell(Event::SetLimits {
        soft: Some(hard),
        hard: Some(hard),
    });
}

#[test]
fn several_that_could_each_go_alone_do_not_go_together_below_a_minimum_s5() {
    let (mut world, places) = locked(5);
    set_hard(&mut world, 1);
    world.run(30_000);
    let left = places.iter().filter(|place| world.connected(**place));
    assert_eq!(left.count(), 2);
}

#[test]
fn whoever_became_needed_in_the_grace_of_its_locks_stays_s5() {
    // Who goes in a world where nobody else does: the same is chosen in its twin.
    let (mut world, places) = locked(3);
    set_hard(&mut world, 2);
    world.run(30_000);
    let mut gone = places.iter().filter(|place| !world.connected(**place));
    let chosen = *gone.next().expect("one goes");
    assert_eq!(gone.count(), 0);

    let (mut world, _) = locked(3);
    set_hard(&mut world, 2);
    world.run(500);
    assert!(world.connected(chosen), "its locks have their grace");
    let other = places.iter().find(|place| **place != chosen);
    world.lose(*other.expect("there are two"), CloseCause::Broken);
    world.run(30_000);
    assert!(world.connected(chosen));
}
