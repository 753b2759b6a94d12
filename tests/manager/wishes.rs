//! What the user wants of a peer is answered: once, in the input that brought it, with the reason when it is refused.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Event, Priority, Reason, Wish, WishAnswer};
use multiaddr::Multiaddr;

use crate::world::{ALL, World, config, id, need};

use WishAnswer::{Granted, Refused, Unchanged};

/// Running, and in need of nobody.
fn idle() -> World {
    let mut world = World::offline_trees();
    for requirement in ALL {
        world.set_need(requirement, need(0, 0, 4));
    }
    for _ in 0..12 {
        world.node(&[]);
    }
    world.start();
    world
}

/// Every answer to an input.
fn answers(world: &mut World, event: Event) -> Vec<(PeerId, Wish, WishAnswer)> {
    let mark = world.mark();
    world.tell(event);
    world.orders[mark..]
        .iter()
        .filter_map(|order| match order.command {
            Command::Wish { peer, wish, answer } => Some((peer, wish, answer)),
            _ => None,
        })
        .collect()
}

/// The one answer to an input.
fn answer(world: &mut World, event: Event) -> (PeerId, Wish, WishAnswer) {
    match answers(world, event)[..] {
        [answer] => answer,
        ref others => panic!("one answer, not {others:?}"),
    }
}

fn connect(peer: PeerId, permanent: bool) -> Event {
    Event::ConnectNow {
        peer,
        routes: vec![route(1)],
        permanent,
    }
}

fn protect(peer: PeerId, tag: &str) -> Event {
    Event::Protect {
        peer,
        tag: tag.to_owned(),
    }
}

fn hint(peer: PeerId, tag: &str) -> Event {
    Event::Hint {
        peer,
        tag: tag.to_owned(),
        value: 5,
        ttl_ms: None,
    }
}

fn priority(peer: PeerId, priority: Priority) -> Event {
    Event::SetPriority { peer, priority }
}

fn route(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}/ws")
        .parse()
        .expect("an address")
}

#[test]
fn a_dial_of_the_users_is_granted_or_refused_with_the_reason() {
    let mut world = idle();
    let peer = id(0);
    let wish = Wish::Connect;
    let unknown = Event::ConnectNow {
        peer,
        routes: Vec::new(),
        permanent: false,
    };
    assert_eq!(
        answer(&mut world, unknown),
        (peer, wish, Refused(Reason::NoRoute))
    );
    assert_eq!(
        answer(&mut world, connect(peer, false)),
        (peer, wish, Granted)
    );
    assert_eq!(
        answer(&mut world, connect(peer, false)),
        (peer, wish, Unchanged)
    );
    let ours = id(9_999);
    assert_eq!(
        answer(&mut world, connect(ours, false)),
        (ours, wish, Refused(Reason::OurOwnId))
    );
    let other = id(1);
    world.tell(Event::Stop);
    assert_eq!(
        answer(&mut world, connect(other, false)).2,
        Refused(Reason::Stopped)
    );
    // Whom the user keeps for good is held although it can't be dialed now.
    assert_eq!(answer(&mut world, connect(other, true)).2, Granted);
}

#[test]
fn beyond_the_budget_nobody_is_held_or_protected_and_the_user_hears_so() {
    let mut world = idle();
    for place in 0..8 {
        assert_eq!(answer(&mut world, connect(id(place), true)).2, Granted);
    }
    for wish in [
        connect(id(8), false),
        connect(id(8), true),
        protect(id(8), "tag"),
    ] {
        assert_eq!(answer(&mut world, wish).2, Refused(Reason::PinLimit));
    }
}

#[test]
fn protection_is_granted_once_for_each_tag_and_sixteen_times_at_most() {
    let mut world = idle();
    let peer = id(0);
    for n in 0..16 {
        let tag = n.to_string();
        let wish = protect(peer, &tag);
        assert_eq!(answer(&mut world, wish), (peer, Wish::Protect, Granted));
    }
    assert_eq!(answer(&mut world, protect(peer, "0")).2, Unchanged);
    assert_eq!(
        answer(&mut world, protect(peer, "one too many")).2,
        Refused(Reason::LimitReached)
    );
    world.tell(priority(peer, Priority::Banned));
    assert_eq!(
        answer(&mut world, protect(peer, "0")).2,
        Refused(Reason::BannedByUser)
    );
}

#[test]
fn of_too_many_hints_the_last_is_refused() {
    let mut world = idle();
    let peer = id(0);
    for n in 0..16 {
        let wish = hint(peer, &n.to_string());
        assert_eq!(answer(&mut world, wish), (peer, Wish::Hint, Granted));
    }
    // One of the same name takes the place of the first.
    assert_eq!(answer(&mut world, hint(peer, "3")).2, Granted);
    assert_eq!(
        answer(&mut world, hint(peer, "one too many")).2,
        Refused(Reason::LimitReached)
    );
}

#[test]
fn a_ban_beyond_the_limit_is_refused_and_a_second_one_changes_nothing() {
    let mut config = config(false);
    config.max_user_bans = 2;
    let mut world = World::with(config, 1);
    let ban = |place| priority(id(place), Priority::Banned);
    assert_eq!(answer(&mut world, ban(0)), (id(0), Wish::Priority, Granted));
    assert_eq!(answer(&mut world, ban(0)).2, Unchanged);
    assert_eq!(answer(&mut world, ban(1)).2, Granted);
    assert_eq!(answer(&mut world, ban(2)).2, Refused(Reason::LimitReached));
    assert_eq!(
        answer(&mut world, priority(id(0), Priority::High)).2,
        Granted
    );
    assert_eq!(
        answer(&mut world, priority(id(0), Priority::High)).2,
        Unchanged
    );
    assert_eq!(answer(&mut world, ban(2)).2, Granted);
}

#[test]
fn an_address_for_which_there_is_no_room_is_refused() {
    let mut world = idle();
    let peer = id(0);
    let named = |port| Event::AddRoute {
        peer,
        route: route(port),
    };
    for port in 1..=8 {
        assert_eq!(
            answer(&mut world, named(port)),
            (peer, Wish::Route, Granted)
        );
    }
    assert_eq!(
        answer(&mut world, named(9)).2,
        Refused(Reason::LimitReached)
    );
}

#[test]
fn what_cannot_be_refused_is_not_answered() {
    let mut world = idle();
    let peer = id(0);
    world.tell(protect(peer, "tag"));
    let tag = "tag".to_owned();
    for event in [
        Event::Unprotect { peer, tag },
        Event::RemoveRoute {
            peer,
            route: route(1),
        },
        Event::HangUp { peer },
        Event::Forget { peer },
    ] {
        assert_eq!(answers(&mut world, event), []);
    }
}
