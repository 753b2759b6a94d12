use super::*;
use crate::protocols::envelope::key;
use crate::protocols::verdict::{End, Protocol};

const WALL_MS: u64 = 1_700_000_000_000;
const HOUR_S: u64 = 3_600;

/// A node and one clock; a sleep moves only the wall.
struct Case {
    all: Reservations,
    now: Now,
}

fn relay(number: u8) -> PeerId {
    key(number).public().to_peer_id()
}

fn refusal(status: u32) -> Verdict {
    let answer = super::super::HopMessage {
        kind: Some(super::super::HopType::Status as i32),
        status: Some(status),
        ..Default::default()
    };
    super::super::connected(&answer).unwrap_err()
}

fn silence() -> Verdict {
    Verdict::of_end(Protocol::CircuitHop, End::Timeout)
}

impl Case {
    fn new() -> Self {
        Self {
            all: Reservations::default(),
            now: Now {
                mono_ms: 5_000,
                wall_ms: WALL_MS,
            },
        }
    }

    fn serving(&mut self, serving: &[(u8, u64)]) {
        let serving: Vec<_> = serving.iter().map(|&(n, conn)| (relay(n), conn)).collect();
        self.all.serving(self.now, &serving);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.all.poll(self.now)).collect()
    }

    /// Whom it asks now; everything else that it says is dropped.
    fn asks(&mut self) -> Vec<u64> {
        let actions = self.actions().into_iter();
        actions
            .filter_map(|action| match action {
                Action::Ask { conn, .. } => Some(conn),
                _ => None,
            })
            .collect()
    }

    fn lost(&mut self) -> Vec<Lost> {
        let actions = self.actions().into_iter();
        actions
            .filter_map(|action| match action {
                Action::Lost { why, .. } => Some(why),
                _ => None,
            })
            .collect()
    }

    fn grants(&mut self, number: u8, conn: u64, life_s: u64) {
        let via: Multiaddr = format!("/ip4/127.0.0.1/tcp/{number}/ws/p2p-circuit")
            .parse()
            .unwrap();
        let granted = Granted {
            expires_at_s: self.now.wall_ms / 1_000 + life_s,
            addresses: vec![via],
            limit: None,
        };
        self.all
            .answered(self.now, relay(number), conn, Ok(granted), 0);
    }

    fn fails(&mut self, number: u8, conn: u64, verdict: Verdict) {
        self.all
            .answered(self.now, relay(number), conn, Err(verdict), 0);
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
    }

    fn sleep(&mut self, ms: u64) {
        self.now.wall_ms += ms;
    }

    /// Until it is due again; says how long that was.
    fn wait(&mut self) -> u64 {
        let at = self.all.next_deadline(self.now).expect("something is due");
        let ms = at.saturating_sub(self.now.mono_ms);
        self.pass(ms);
        ms
    }
}

#[test]
fn whoever_serves_is_asked_once_and_its_address_is_held() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    assert_eq!(case.asks(), [10]);
    case.serving(&[(1, 10)]);
    assert_eq!(case.asks(), Vec::<u64>::new());
    assert_eq!(case.all.addresses(), Vec::<Multiaddr>::new());
    case.grants(1, 10, HOUR_S);
    assert_eq!(case.all.addresses().len(), 1);
    let said = case.actions();
    assert!(matches!(said[0], Action::Served { .. }));
    assert!(matches!(said[1], Action::Held { renewed: false, .. }));
}

#[test]
fn it_is_renewed_before_three_quarters_of_its_life_and_advertised_meanwhile() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    assert_eq!(case.wait(), 2_700_000);
    assert_eq!(case.asks(), [10]);
    assert_eq!(case.all.addresses().len(), 1);
    case.grants(1, 10, HOUR_S);
    let said = case.actions();
    assert!(matches!(said[1], Action::Held { renewed: true, .. }));
}

#[test]
fn a_short_life_is_renewed_at_half_time() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, 120);
    case.actions();
    assert_eq!(case.wait(), 60_000);
}

#[test]
fn draws_set_renewals_apart_by_a_tenth_of_the_life() {
    let mut ends = Vec::new();
    for draw in [0, u32::MAX] {
        let mut case = Case::new();
        case.serving(&[(1, 10)]);
        case.asks();
        let granted = Granted {
            expires_at_s: WALL_MS / 1_000 + HOUR_S,
            addresses: vec![],
            limit: None,
        };
        case.all.answered(case.now, relay(1), 10, Ok(granted), draw);
        case.actions();
        ends.push(case.wait());
    }
    assert_eq!(ends, [2_700_000, 2_340_000]);
}

#[test]
fn a_renewal_that_fails_is_tried_again_while_what_is_held_lasts() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.wait();
    let mut waits = Vec::new();
    for _ in 0..5 {
        assert_eq!(case.asks(), [10]);
        case.fails(1, 10, silence());
        assert_eq!(case.lost(), []);
        waits.push(case.wait());
    }
    // The fourth request within two minutes was the last of the burst.
    assert_eq!(waits, [5_000, 15_000, 45_000, 55_000, 120_000]);
    assert_eq!(case.all.addresses().len(), 1);
}

#[test]
fn it_is_withdrawn_when_its_time_is_over_and_asked_for_anew() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.wait();
    case.asks();
    // No answer comes at all.
    case.pass(900_000);
    assert_eq!(case.lost(), [Lost::Expired]);
    case.fails(1, 10, silence());
    case.actions();
    case.wait();
    assert_eq!(case.asks(), [10]);
}

#[test]
fn a_machine_that_slept_over_the_renewal_asks_at_once() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.sleep(50 * 60_000);
    assert_eq!(case.asks(), [10]);
    assert_eq!(case.all.addresses().len(), 1);
}

#[test]
fn a_machine_that_slept_over_the_end_has_no_address_until_it_asked() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.sleep(70 * 60_000);
    let said = case.actions();
    assert!(matches!(
        said[0],
        Action::Lost {
            why: Lost::Expired,
            ..
        }
    ));
    assert_eq!(case.all.addresses(), Vec::<Multiaddr>::new());
    assert!(matches!(said[1], Action::Ask { conn: 10, .. }));
}

#[test]
fn it_dies_with_its_connection_and_is_made_anew_on_the_next_one() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.all.ended(10);
    assert_eq!(case.lost(), [Lost::Disconnected]);
    case.serving(&[]);
    case.serving(&[(1, 11)]);
    assert_eq!(case.asks(), [11]);
}

#[test]
fn another_connection_of_the_same_relay_takes_over() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.serving(&[(1, 11)]);
    let said = case.actions();
    assert!(matches!(
        said[0],
        Action::Lost {
            why: Lost::Disconnected,
            ..
        }
    ));
    assert!(matches!(said[1], Action::Ask { conn: 11, .. }));
}

#[test]
fn whoever_is_not_needed_any_more_is_no_address() {
    let mut case = Case::new();
    case.serving(&[(1, 10), (2, 20)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.grants(2, 20, HOUR_S);
    case.actions();
    case.serving(&[(2, 20)]);
    assert_eq!(case.lost(), [Lost::Released]);
    assert_eq!(case.all.addresses().len(), 1);
}

#[test]
fn a_refusal_ends_it_and_nobody_asks_before_it_serves_again() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.fails(1, 10, refusal(super::super::RESERVATION_REFUSED));
    assert!(matches!(case.actions()[..], [Action::Failed { .. }]));
    assert_eq!(case.all.next_deadline(case.now), None);
    // A renewal that is refused takes the address with it.
    case.serving(&[]);
    case.serving(&[(1, 10)]);
    case.asks();
    case.grants(1, 10, HOUR_S);
    case.actions();
    case.wait();
    case.asks();
    case.fails(1, 10, refusal(super::super::RESOURCE_LIMIT_EXCEEDED));
    assert_eq!(case.lost(), [Lost::Refused]);
}

#[test]
fn whoever_fails_four_times_is_left_to_the_manager() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    for _ in 0..4 {
        assert_eq!(case.asks(), [10]);
        case.fails(1, 10, silence());
        case.actions();
        if case.all.next_deadline(case.now).is_some() {
            case.wait();
        }
    }
    assert_eq!(case.asks(), Vec::<u64>::new());
    assert_eq!(case.all.next_deadline(case.now), None);
}

#[test]
fn after_four_requests_they_are_two_minutes_apart_however_often_it_reconnects() {
    let mut case = Case::new();
    let mut asked = Vec::new();
    let start = case.now.mono_ms;
    for conn in 0..4_000 {
        case.serving(&[(1, conn)]);
        if !case.asks().is_empty() {
            asked.push((case.now.mono_ms - start) / 1_000);
            case.grants(1, conn, HOUR_S);
            case.actions();
        }
        case.all.ended(conn);
        case.serving(&[]);
        case.actions();
        case.pass(100);
    }
    assert_eq!(asked, [0, 0, 0, 0, 120, 240, 360]);
}

#[test]
fn what_is_late_is_nobodys() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    case.asks();
    case.all.ended(10);
    case.serving(&[]);
    case.grants(1, 10, HOUR_S);
    assert_eq!(case.actions(), []);
    assert_eq!(case.all.addresses(), Vec::<Multiaddr>::new());
}

#[test]
fn strangers_leave_nothing_behind() {
    let mut case = Case::new();
    for number in 0..200_u8 {
        case.serving(&[(number, u64::from(number))]);
        case.asks();
    }
    assert!(case.all.relays.len() <= MAX_RELAYS + 1);
    case.serving(&[]);
    for number in 0..200 {
        case.all.ended(number);
    }
    case.pass(SPACING_MS * 5);
    case.serving(&[]);
    assert_eq!(case.all.relays.len(), 0);
}

#[test]
fn calls_are_expected_from_those_alone_where_we_are_to_be_found() {
    let mut case = Case::new();
    case.serving(&[(1, 10)]);
    assert!(!case.all.expects_calls_by(relay(1)));
    case.asks();
    // Its first call may come before its answer was read.
    assert!(case.all.expects_calls_by(relay(1)));
    assert!(!case.all.expects_calls_by(relay(2)));
}
