//! Protocols that come and go, their requirements, quotas and shares (4.3, 4.4).

use lightkeeper::manager::{
    Bound, Class, Command, Crossed, EnrollmentId, Event, Grant, Health, Need, Offer, Outcome,
    ProtocolSpec, ProtocolView, Quota, Reason, RequirementId, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

const CHAT: &str = "/chat/1";
const FIRST: EnrollmentId = EnrollmentId(1);
const SECOND: EnrollmentId = EnrollmentId(2);
/// Where the first that enrolls gets its requirement.
const FOURTH: RequirementId = RequirementId(3);

pub(crate) fn spec(name: &str, wants: Option<Need>) -> ProtocolSpec {
    ProtocolSpec {
        name: name.to_owned(),
        protocols: vec![CHAT.to_owned()],
        class: Class::Normal,
        weight: 1,
        quota: Quota::default(),
        need: wants,
        scores: false,
        answer_ms: 10_000,
    }
}

fn wanting(name: &str, class: Class, min: u16) -> ProtocolSpec {
    ProtocolSpec {
        class,
        quota: Quota {
            min: Some(Bound::Count(min)),
            max: None,
        },
        ..spec(name, None)
    }
}

impl World {
    pub(crate) fn enroll(&mut self, enrollment: EnrollmentId, spec: ProtocolSpec) {
        self.tell(Event::Enroll { enrollment, spec });
    }

    pub(crate) fn offers_since(&self, mark: usize) -> Vec<(u64, EnrollmentId, Offer)> {
        let orders = self.orders[mark..].iter();
        orders
            .filter_map(|order| match &order.command {
                Command::Offer { enrollment, offer } => Some((order.at, *enrollment, *offer)),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn protocol(&self, name: &str) -> Option<ProtocolView> {
        let protocols = self.manager.protocols().into_iter();
        protocols.into_iter().find(|protocol| protocol.name == name)
    }

    fn names_offered(&self, mark: usize) -> Vec<(EnrollmentId, Offer)> {
        let offers = self.offers_since(mark).into_iter();
        offers.map(|(_, id, offer)| (id, offer)).collect()
    }
}

fn grant(low: u16, high: u16) -> Grant {
    Grant { low, high }
}

/// Three that serve everything, the first two of them connected, and one of them speaks chat.
fn three(chatty: &[usize]) -> World {
    let mut world = World::offline_trees();
    for place in 0..3 {
        world.node(&ALL);
        if chatty.contains(&place) {
            world.nodes[place].speaks = vec![CHAT.to_owned()];
        }
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    world
}

#[test]
fn the_requirements_of_the_configuration_are_protocols_from_the_start() {
    let world = World::new();
    let protocols = world.manager.protocols();
    let told: Vec<_> = protocols
        .iter()
        .map(|p| (p.name.as_str(), p.requirement, p.class, p.granted))
        .collect();
    // What their minima may take is theirs.
    let critical = |name, id| (name, Some(id), Class::Critical, Some(grant(1, 5)));
    assert_eq!(
        told,
        [
            critical("lightPush", LIGHT_PUSH),
            critical("filter", FILTER),
            ("store", Some(STORE), Class::Normal, Some(grant(0, 5))),
        ]
    );
}

/// A6: nobody who enrolls is promised what the node's own minima need, however much it asks for.
#[test]
fn a_guest_that_wants_everything_leaves_the_minima_of_the_built_in_ones() {
    let mut world = World::new();
    for (id, enrollment) in [(1, FIRST), (2, SECOND)] {
        let greedy = ProtocolSpec {
            weight: 16,
            ..wanting(&format!("greedy-{id}"), Class::Critical, 5_000)
        };
        world.enroll(enrollment, greedy);
    }
    let mut low = |name: &str| {
        let protocol = world.protocol(name).expect("it is there");
        protocol.granted.or(protocol.offered).expect("a share").low
    };
    assert_eq!(
        ["lightPush", "filter", "store", "greedy-1", "greedy-2"].map(&mut low),
        [1, 1, 0, 7, 7]
    );
}

#[test]
fn a_protocol_that_fits_is_enrolled_at_once() {
    let mut world = World::new();
    let mark = world.mark();
    world.enroll(FIRST, wanting("chat", Class::Normal, 4));
    assert_eq!(
        world.names_offered(mark),
        [(FIRST, Offer::Granted(grant(4, 4)))]
    );
    let chat = world.protocol("chat").expect("it is enrolled");
    assert_eq!((chat.granted, chat.offered), (Some(grant(4, 4)), None));
}

#[test]
fn who_is_connected_serves_a_new_requirement_without_a_word() {
    let mut world = three(&[0, 1, 2]);
    let mark = world.mark();
    world.enroll(FIRST, spec("chat", Some(need(1, 2, 4))));
    assert_eq!(world.have(FOURTH), 2);
    assert_eq!(world.manager.requirement_name(FOURTH), Some("chat"));
    assert_eq!(
        world.protocol("chat").expect("enrolled").requirement,
        Some(FOURTH)
    );
    world.run(60_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(
        world.crossings_since(mark),
        [
            (FOURTH, Crossed::MinReached),
            (FOURTH, Crossed::TargetReached)
        ]
    );
}

#[test]
fn peers_that_were_never_asked_are_tried_for_a_new_requirement() {
    let mut world = three(&[]);
    // One more, said to serve the store alone, and known to nobody for what it speaks.
    let silent = world.node(&[STORE]);
    world.nodes[silent].speaks = vec![CHAT.to_owned()];
    world.discovered(silent, Source::PeerExchange);
    world.run(1_000);
    let mark = world.mark();
    world.enroll(FIRST, spec("chat", Some(need(1, 1, 2))));
    assert_eq!(world.health(), Health::Unmet);
    world.run(5_000);
    assert!(world.serves(silent, FOURTH));
    assert!(world.dialed_since(mark).contains(&silent));
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn who_said_no_is_not_tried_again() {
    let mut world = three(&[]);
    world.enroll(FIRST, spec("chat", Some(need(1, 1, 2))));
    world.run(20_000);
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(world.have(FOURTH), 0);
}

#[test]
fn a_thousand_known_peers_are_placed_for_a_new_requirement_bit_by_bit() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    for _ in 0..1_000 {
        let place = world.node(&[]);
        world.discovered(place, Source::PeerExchange);
    }
    let chatty = 700;
    world.nodes[chatty].speaks = vec![CHAT.to_owned()];
    world.enroll(FIRST, spec("chat", Some(need(1, 1, 1))));
    world.start();
    world.run(3_600_000);
    assert!(world.serves(chatty, FOURTH));
}

#[test]
fn a_counter_offer_waits_for_an_answer_and_silence_accepts_it() {
    let mut world = three(&[0, 1, 2]);
    let greedy = ProtocolSpec {
        quota: Quota {
            min: Some(Bound::Count(20)),
            max: None,
        },
        ..spec("chat", Some(need(1, 2, 2)))
    };
    let mark = world.mark();
    world.enroll(FIRST, greedy);
    let counter = Offer::Counter {
        grant: grant(13, 13),
        answer_ms: 10_000,
    };
    assert_eq!(world.names_offered(mark), [(FIRST, counter)]);
    let chat = world.protocol("chat").expect("it has an offer");
    assert_eq!((chat.granted, chat.offered), (None, Some(grant(13, 13))));
    assert_eq!(chat.requirement, None);
    world.run(9_999);
    assert_eq!(
        world.protocol("chat").expect("it has an offer").granted,
        None
    );
    world.run(1);
    let chat = world.protocol("chat").expect("it is enrolled");
    assert_eq!((chat.granted, chat.offered), (Some(grant(13, 13)), None));
    assert_eq!(world.have(FOURTH), 2);
    let holds = Offer::Counter {
        grant: grant(13, 13),
        answer_ms: 0,
    };
    assert_eq!(
        world.names_offered(mark),
        [(FIRST, counter), (FIRST, holds)]
    );
}

#[test]
fn a_counter_offer_may_be_accepted_or_declined() {
    let mut world = World::new();
    world.enroll(FIRST, wanting("chat", Class::Normal, 20));
    world.enroll(SECOND, wanting("game", Class::Normal, 20));
    world.tell(Event::AcceptOffer { enrollment: FIRST });
    let mark = world.mark();
    world.tell(Event::Withdraw { enrollment: SECOND });
    assert_eq!(world.names_offered(mark), [(SECOND, Offer::Ended)]);
    assert!(world.protocol("game").is_none());
    assert!(world.protocol("chat").expect("enrolled").granted.is_some());
    // Nothing more comes of the one that is gone.
    world.tell(Event::AcceptOffer { enrollment: SECOND });
    world.run(60_000);
    assert!(
        world
            .names_offered(mark)
            .iter()
            .all(|(id, offer)| *id == FIRST || *offer == Offer::Ended)
    );
}

#[test]
fn a_counter_offer_is_answered_while_the_node_is_stopped_too() {
    let mut world = World::new();
    world.enroll(FIRST, wanting("chat", Class::Normal, 20));
    world.run(10_000);
    assert!(world.protocol("chat").expect("enrolled").granted.is_some());
}

#[test]
fn names_are_unique_and_protocols_are_few() {
    let mut world = World::new();
    let mark = world.mark();
    let rejected = Offer::Rejected(Reason::NotEnrolled);
    world.enroll(FIRST, spec("filter", None));
    assert_eq!(world.names_offered(mark), [(FIRST, rejected)]);
    for place in 0..15 {
        world.enroll(EnrollmentId(10 + place), spec(&format!("p{place}"), None));
    }
    world.enroll(SECOND, spec("p3", None));
    assert_eq!(world.names_offered(mark).last(), Some(&(SECOND, rejected)));
    // An id is never used twice.
    let orders = world.mark();
    world.enroll(EnrollmentId(10), spec("other", None));
    assert_eq!(world.mark(), orders);
}

#[test]
fn at_most_thirty_two_protocols_enroll() {
    let mut config = config(true);
    config.soft_connections = 100;
    config.hard_connections = 125;
    let mut world = World::with(config, 1);
    for place in 0..33 {
        let mark = world.mark();
        world.enroll(EnrollmentId(10 + place), spec(&format!("p{place}"), None));
        let refused = world.names_offered(mark).contains(&(
            EnrollmentId(10 + place),
            Offer::Rejected(Reason::NotEnrolled),
        ));
        assert_eq!(refused, place == 32);
    }
}

#[test]
fn without_any_share_left_a_protocol_is_rejected() {
    let mut world = World::new();
    world.enroll(FIRST, wanting("chat", Class::Critical, 16));
    let mark = world.mark();
    world.enroll(SECOND, spec("game", None));
    assert_eq!(
        world.names_offered(mark),
        [(SECOND, Offer::Rejected(Reason::NoShare))]
    );
}

#[test]
fn others_hear_of_their_smaller_grants_at_most_every_five_seconds() {
    let mut world = World::new();
    world.enroll(FIRST, spec("chat", None));
    world.run(2_000);
    let mark = world.mark();
    for place in 0..5 {
        world.enroll(EnrollmentId(10 + place), spec(&format!("p{place}"), None));
        world.run(100);
    }
    world.run(30_000);
    let heard: Vec<_> = world
        .offers_since(mark)
        .into_iter()
        .filter(|(_, id, _)| *id == FIRST)
        .map(|(at, _, offer)| (at, offer))
        .collect();
    assert_eq!(heard, [(5_000, Offer::Granted(grant(0, 2)))]);
}

#[test]
fn raising_the_demand_of_a_protocol_that_has_too_little_makes_a_new_offer() {
    let mut world = three(&[0]);
    world.enroll(FIRST, spec("chat", Some(need(0, 1, 2))));
    world.run(10_000);
    let granted = world.protocol("chat").expect("enrolled").granted;
    let granted = granted.expect("enrolled");
    let mark = world.mark();
    // What its share allows is no reason for an offer.
    world.set_need(FOURTH, need(0, 2, 2));
    assert_eq!(world.names_offered(mark), []);
    world.set_need(FOURTH, need(0, 10, 12));
    assert_eq!(
        world.names_offered(mark),
        [(FIRST, Offer::Granted(granted))]
    );
}

#[test]
fn withdrawing_takes_the_requirement_and_all_that_was_for_it() {
    let mut world = three(&[0, 1, 2]);
    world.enroll(FIRST, spec("chat", Some(need(1, 3, 4))));
    world.report(0, FOURTH, Outcome::Absent);
    world.run(100);
    world.tell(Event::Withdraw { enrollment: FIRST });
    assert_eq!(world.manager.requirements().len(), 3);
    let mark = world.mark();
    // Nothing of the old one touches the new one in its place (R3).
    world.run(1_000);
    world.enroll(SECOND, spec("chat", Some(need(1, 3, 4))));
    assert_eq!(
        world.protocol("chat").expect("enrolled").requirement,
        Some(FOURTH)
    );
    assert!(world.serves(0, FOURTH));
    world.run(1_900_000);
    assert_eq!(world.have(FOURTH), 3);
    assert_eq!(world.takeovers_since(mark), []);
}

#[test]
fn another_protocol_in_the_same_place_inherits_nothing() {
    let mut world = three(&[0, 1, 2]);
    // Every place but one is taken.
    for place in 0..32 {
        let enrollment = EnrollmentId(100 + place);
        let name = format!("p{place}");
        world.enroll(enrollment, spec(&name, Some(need(0, 0, 0))));
        world.tell(Event::Withdraw { enrollment });
    }
    for round in 0..40 {
        let enrollment = EnrollmentId(200 + round);
        let mut spec = spec(&format!("q{round}"), Some(need(1, 1, 1)));
        spec.protocols = vec![format!("/q/{round}")];
        world.enroll(enrollment, spec);
        let view = world.protocol(&format!("q{round}")).expect("enrolled");
        let requirement = view.requirement.expect("it has a need");
        assert!(usize::from(requirement.0) < 64);
        assert_eq!(world.have(requirement), 0);
        world.tell(Event::Withdraw { enrollment });
    }
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_connection_that_several_use_is_shared_among_them() {
    let mut world = three(&[0, 1, 2]);
    world.enroll(FIRST, spec("chat", Some(need(1, 2, 4))));
    // Two connections: lightpush, filter and chat use both, the store one of them.
    let shares: Vec<_> = world
        .manager
        .protocols()
        .into_iter()
        .map(|p| (p.name, p.share, p.connections))
        .collect();
    let both = 256 / 4 + 256 / 3;
    let expected = [
        ("lightPush".to_owned(), both, 2),
        ("filter".to_owned(), both, 2),
        ("store".to_owned(), 256 / 4, 1),
        ("chat".to_owned(), both, 2),
    ];
    assert_eq!(shares, expected);
}

#[test]
fn an_enrollment_that_nobody_knows_is_ignored() {
    let mut world = World::new();
    let mark = world.mark();
    world.tell(Event::AcceptOffer { enrollment: FIRST });
    world.tell(Event::Withdraw { enrollment: FIRST });
    assert_eq!(world.mark(), mark);
}
