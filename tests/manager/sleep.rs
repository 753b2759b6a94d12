//! When the machine slept, and who is asked for a sign of life then (4.8, 4.14).

use lightkeeper::manager::{CloseCause, Command, Event, Health, NetworkState, Notice, Time};

use crate::outage::settled;
use crate::world::{Fleet, World};

const HOUR: u64 = 3_600_000;

fn pings_since(world: &World, mark: usize) -> usize {
    world.count(mark, |order| matches!(order, Command::Ping { .. }))
}

fn slept_since(world: &World, mark: usize) -> usize {
    let resumed = |notice: &Notice| matches!(notice, Notice::NetworkChanged { state, .. } if *state == NetworkState::Resumed);
    let notices = world.notices_since(mark).into_iter();
    notices.filter(|(_, notice)| resumed(notice)).count()
}

#[test]
fn a_wake_up_that_comes_much_too_late_pings_everybody() {
    let (mut world, _) = settled();
    let mark = world.mark();
    let due = world.manager.next_deadline().expect("pings are due");
    world.now = due + 60_000;
    world.tell(Event::Tick);
    let pings = world.count(mark, |order| matches!(order, Command::Ping { .. }));
    assert!(pings >= world.manager.stats().open as usize);
}

#[test]
fn a_wall_clock_that_ran_ahead_tells_of_sleep() {
    let (mut world, _) = settled();
    let before = world.time();
    world.manager.handle(
        Time {
            mono_ms: before.mono_ms + 10,
            wall_ms: before.wall_ms + 3_600_000,
        },
        Event::Tick,
    );
    let mut pings = 0;
    while let Some(order) = world.manager.poll() {
        pings += usize::from(matches!(order, Command::Ping { .. }));
    }
    assert_eq!(pings, world.manager.stats().open as usize);
}

#[test]
fn the_clocks_are_looked_at_while_somebody_looks_at_the_page() {
    let (mut world, _) = settled();
    assert_eq!(world.manager.clock_look_ms(), Some(1_000));
    let now = world.time();
    let after = |mono, wall| Time {
        mono_ms: now.mono_ms + mono,
        wall_ms: now.wall_ms + wall,
    };
    // A clock that was set back tells nothing, and looks may come a little late.
    assert!(!world.manager.has_slept(now, after(6_000, 6_000)));
    assert!(!world.manager.has_slept(now, after(6_000, 0)));
    assert!(world.manager.has_slept(now, after(6_001, 6_001)));
    assert!(!world.manager.has_slept(now, after(10, 5_010)));
    assert!(world.manager.has_slept(now, after(10, 5_011)));
    // Whoever looked a moment ago did not sleep before that.
    assert!(
        !world
            .manager
            .has_slept(after(HOUR, HOUR), after(HOUR + 2_000, HOUR + 2_000))
    );
    world.tell(Event::Visibility { hidden: true });
    let now = world.time();
    let later = Time {
        mono_ms: now.mono_ms + 30_000,
        wall_ms: now.wall_ms + 30_000,
    };
    assert!(
        !world.manager.has_slept(now, later),
        "timers of hidden pages are late"
    );
    world.run(2 * 60_000);
    assert_eq!(world.manager.clock_look_ms(), None);
    world.tell(Event::Visibility { hidden: false });
    assert!(world.manager.clock_look_ms().is_some());
    world.tell(Event::Stop);
    assert_eq!(world.manager.clock_look_ms(), None);
}

#[test]
fn a_hidden_page_whose_timers_come_once_a_minute_has_not_slept() {
    let (mut world, _) = settled();
    world.tell(Event::Visibility { hidden: true });
    world.run(600_000);
    let mark = world.mark();
    // Its timers come on minutes of the browser's own, up to a minute after their time.
    for _ in 0..30 {
        let due = world.manager.next_deadline().expect("pings are due");
        world.now = (world.now + 1).max(due) + 59_000;
        world.tell(Event::Tick);
        world.run(500);
    }
    assert_eq!(slept_since(&world, mark), 0);
    // Three minutes are more than any browser makes of one.
    let due = world.manager.next_deadline().expect("pings are due");
    world.now = due + 180_000;
    world.tell(Event::Tick);
    assert_eq!(slept_since(&world, mark), 1);
}

#[test]
fn a_short_sleep_that_only_a_late_look_shows_pings_everybody_at_once() {
    let (mut world, _) = settled();
    let looked = world.time();
    world.now += 8_000;
    assert!(world.manager.has_slept(looked, world.time()));
    let mark = world.mark();
    world.tell(Event::Woke);
    assert_eq!(slept_since(&world, mark), 1);
    assert_eq!(
        pings_since(&world, mark),
        world.manager.stats().open as usize
    );
    assert!(
        !world.manager.has_slept(looked, world.time()),
        "it is known"
    );
}

#[test]
fn more_deadlines_than_one_input_takes_are_one_sleep() {
    let (mut world, _) = settled();
    for number in 1_000..1_300 {
        let peer = crate::world::id(number);
        let route = format!("/ip4/60.{}.0.1/tcp/443/wss", number % 256);
        world.tell(Event::AddRoute {
            peer,
            route: route.parse().expect("an address"),
        });
        world.tell(Event::Hint {
            peer,
            tag: "seen".to_owned(),
            value: 1,
            ttl_ms: Some(60_000),
        });
    }
    let mark = world.mark();
    world.now += 4 * HOUR;
    for _ in 0..8 {
        world.tell(Event::Tick);
    }
    assert_eq!(slept_since(&world, mark), 1);
}

#[test]
fn after_sleep_whoever_does_not_answer_at_once_is_replaced_before_it_is_closed() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.nodes[provider].answers_pings = false;
    world.now += 8_000;
    let mark = world.mark();
    world.tell(Event::Woke);
    world.run(600);
    assert!(world.connected(provider));
    assert!(!world.serves(provider, crate::world::FILTER));
    assert_eq!(world.health(), Health::Met, "others do its work");
    world.run(5_000);
    assert!(!world.connected(provider));
    assert!(world.mark() > mark);
}

/// Connections that were left alone for long, since nothing depends on them.
fn silent_connection() -> (World, Fleet, usize) {
    let (mut world, fleet) = settled();
    let quiet = world.node(&[]);
    world.connects_by_itself(quiet);
    let peer = world.nodes[quiet].id;
    world.tell(Event::Protect {
        peer,
        tag: "mine".to_owned(),
    });
    world.tell(Event::Visibility { hidden: true });
    world.run(75_000);
    (world, fleet, quiet)
}

#[test]
fn whoever_was_silent_is_asked_after_a_loss_and_when_the_page_is_shown_again() {
    for loss in [true, false] {
        let (mut world, fleet, quiet) = silent_connection();
        world.nodes[quiet].answers_pings = false;
        let mark = world.mark();
        if loss {
            let provider = fleet.all.into_iter().find(|place| world.connected(*place));
            world.lose(provider.expect("somebody serves"), CloseCause::Broken);
        } else {
            world.tell(Event::Visibility { hidden: false });
        }
        assert!(pings_since(&world, mark) >= 1, "after a loss: {loss}");
        // One strike.
        world.run(5_001);
        assert!(world.disconnect_of(quiet).is_some(), "after a loss: {loss}");
    }
}
