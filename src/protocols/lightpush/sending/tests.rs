use super::*;
use crate::protocols::verdict::{End, IdEcho, Protocol};

const NOW: u64 = 1_000;
const DEADLINE: u64 = NOW + 10_000;

fn peer(n: u8) -> PeerId {
    PeerId::from_bytes(&[0, 1, n]).unwrap()
}

fn free(n: u8) -> Candidate {
    at(n, 0)
}

fn at(n: u8, free_at: u64) -> Candidate {
    Candidate {
        peer: peer(n),
        conn: u64::from(n) * 10,
        free_at,
        rtt_ms: Some(5),
    }
}

/// On the connection of [`at`].
fn doubt(n: u8) -> Step {
    Step::Doubt {
        peer: peer(n),
        conn: u64::from(n) * 10,
    }
}

fn status(status: u32, text: &str) -> Result<Accepted, Verdict> {
    let ruling = super::super::v3::classify(Some(status), Some(text), Some(1), IdEcho::Same);
    ruling
        .verdict(|| format!("status {status}"))
        .map(|()| Accepted {
            relay_peers: Some(1),
        })
}

fn ok() -> Result<Accepted, Verdict> {
    status(200, "")
}

fn end(end: End) -> Result<Accepted, Verdict> {
    Err(Verdict::of_end(Protocol::LightpushV3, end))
}

/// Every server that is asked at this time.
fn asked(sending: &mut Sending, now: u64, candidates: &[Candidate]) -> Vec<PeerId> {
    let mut asked = Vec::new();
    loop {
        match sending.next(now, candidates) {
            Step::Ask(one) => asked.push(one.peer),
            Step::Doubt { .. } | Step::Late(_) => {}
            Step::Wait(until) => {
                assert!(until > now, "a wait that is over");
                return asked;
            }
            Step::Over(_) => return asked,
        }
    }
}

#[test]
fn two_are_asked_at_once_and_one_is_enough() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    let all = [free(1), free(2), free(3)];
    assert_eq!(asked(&mut sending, NOW, &all), [peer(1), peer(2)]);
    assert!(sending.answered(NOW + 5, peer(2), ok()));
    assert_eq!(sending.next(NOW + 5, &all), Step::Over(Over::Accepted));
    assert!(!sending.is_idle(), "the other may still answer");
    assert!(sending.answered(NOW + 6, peer(1), ok()));
    assert_eq!(sending.accepted().count(), 2);
    assert_eq!(sending.asked(), 2);
}

#[test]
fn who_fails_is_followed_by_somebody_who_was_not_asked() {
    let mut sending = Sending::new(2, 2, false, DEADLINE);
    let all = [free(1), free(2), free(3), free(4)];
    asked(&mut sending, NOW, &all);
    assert!(!sending.answered(NOW, peer(1), end(End::Reset)));
    assert_eq!(asked(&mut sending, NOW, &all), [peer(3)]);
    assert!(!sending.answered(NOW, peer(3), status(500, "")));
    assert_eq!(asked(&mut sending, NOW, &all), [peer(4)]);
    sending.answered(NOW, peer(2), ok());
    sending.answered(NOW, peer(4), ok());
    assert_eq!(sending.next(NOW, &all), Step::Over(Over::Accepted));
    assert_eq!(sending.failed().count(), 2);
}

#[test]
fn silence_is_doubted_and_hedged_before_the_deadline() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    let two = [free(1), free(2)];
    asked(&mut sending, NOW, &two);
    assert_eq!(sending.next(NOW, &two), Step::Wait(NOW + HEDGE_MS));
    let later = NOW + HEDGE_MS;
    assert_eq!(sending.next(later, &two), doubt(1));
    assert_eq!(sending.next(later, &two), doubt(2));
    let late = NOW + LATE_MS;
    assert_eq!(sending.next(later, &two), Step::Wait(late));
    assert_eq!(sending.next(late, &two), Step::Late(peer(1)));
    assert_eq!(sending.next(late, &two), Step::Late(peer(2)));
    assert_eq!(sending.next(late, &two), Step::Wait(DEADLINE));
    // Somebody who begins to serve is asked at once.
    let three = [free(1), free(2), free(3)];
    assert_eq!(asked(&mut sending, later + 900, &three), [peer(3)]);
    sending.answered(later + 905, peer(3), ok());
    assert_eq!(
        sending.next(later + 905, &three),
        Step::Over(Over::Accepted)
    );
    assert_eq!(sending.unanswered().count(), 2);
}

#[test]
fn each_silent_server_is_doubted_on_the_connection_on_which_it_was_asked() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    asked(&mut sending, NOW, &[free(1), free(2)]);
    assert!(!sending.wants_more(), "so nobody looks who could be asked");
    let silent = NOW + HEDGE_MS;
    assert_eq!(sending.next(silent, &[]), doubt(1));
    assert_eq!(sending.next(silent, &[]), doubt(2));

    // One that came back and is asked again has another connection by then.
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    asked(&mut sending, NOW, &[free(1)]);
    sending.answered(NOW, peer(1), end(End::Reset));
    let back = Candidate { conn: 7, ..free(1) };
    let again = NOW + ROUND_MS;
    assert_eq!(sending.next(again, &[back]), Step::Ask(back));
    let Step::Doubt { conn, .. } = sending.next(again + HEDGE_MS, &[]) else {
        panic!("it is silent");
    };
    assert_eq!(conn, 7);
}

#[test]
fn a_slow_link_is_doubted_later() {
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    let far = Candidate {
        rtt_ms: Some(400),
        ..free(1)
    };
    asked(&mut sending, NOW, &[far]);
    assert_eq!(sending.next(NOW, &[far]), Step::Wait(NOW + 1_600));
}

#[test]
fn the_pace_of_a_server_is_waited_for_and_another_is_taken_meanwhile() {
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    let all = [at(1, NOW + 2_000), at(2, NOW + 700)];
    assert_eq!(sending.next(NOW, &all), Step::Wait(NOW + 700));
    assert_eq!(sending.next(NOW + 700, &all), Step::Ask(all[1]));
}

#[test]
fn when_all_refuse_they_are_asked_again_and_then_it_is_over() {
    let mut sending = Sending::new(2, 1, false, NOW + 60_000);
    let two = [free(1), free(2)];
    let mut now = NOW;
    let mut rounds = Vec::new();
    loop {
        match sending.next(now, &two) {
            Step::Ask(one) => {
                rounds.push(now - NOW);
                sending.answered(now, one.peer, status(429, ""));
            }
            Step::Wait(until) => now = until,
            Step::Doubt { .. } | Step::Late(_) => unreachable!("all answer"),
            Step::Over(over) => {
                assert_eq!(over, Over::Exhausted);
                break;
            }
        }
    }
    assert_eq!(rounds, [0, 0, 1_000, 1_000, 3_000, 3_000, 7_000, 7_000]);
    assert_eq!(sending.asked(), 8);
}

#[test]
fn with_nobody_to_ask_it_waits_until_the_deadline() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    assert_eq!(sending.next(NOW, &[]), Step::Wait(DEADLINE));
    assert_eq!(sending.next(DEADLINE, &[]), Step::Over(Over::Exhausted));
    assert_eq!(sending.asked(), 0);
}

#[test]
fn a_message_is_wrong_when_two_say_so_or_nobody_else_is_there() {
    let size = || status(420, "size exceeded");
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    let all = [free(1), free(2), free(3)];
    asked(&mut sending, NOW, &all);
    sending.answered(NOW, peer(1), size());
    assert_eq!(asked(&mut sending, NOW, &all), [peer(2)], "one may lie");
    sending.answered(NOW, peer(2), size());
    assert_eq!(sending.next(NOW, &all), Step::Over(Over::Rejected));

    let mut sending = Sending::new(1, 1, false, DEADLINE);
    asked(&mut sending, NOW, &[free(1)]);
    sending.answered(NOW, peer(1), size());
    assert_eq!(sending.next(NOW, &[free(1)]), Step::Over(Over::Rejected));
}

#[test]
fn one_server_that_calls_everything_wrong_stops_no_message() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    let two = [free(1), free(2)];
    asked(&mut sending, NOW, &two);
    sending.answered(NOW, peer(1), status(400, ""));
    assert_eq!(asked(&mut sending, NOW, &two), []);
    sending.answered(NOW, peer(2), ok());
    assert_eq!(sending.next(NOW, &two), Step::Over(Over::Accepted));
}

#[test]
fn what_was_seen_elsewhere_was_taken_by_who_did_not_say_so() {
    let mut sending = Sending::new(2, 1, false, DEADLINE);
    let two = [free(1), free(2)];
    asked(&mut sending, NOW, &two);
    sending.answered(NOW, peer(2), status(505, ""));
    assert!(!sending.is_unsure(), "the other may still answer");
    assert_eq!(sending.next(NOW + HEDGE_MS, &two), doubt(1));
    assert!(sending.is_unsure());
    sending.seen();
    assert_eq!(
        sending.next(NOW + HEDGE_MS, &two),
        Step::Over(Over::Accepted)
    );
    assert_eq!(sending.accepted().count(), 2);
}

#[test]
fn bytes_that_were_accepted_before_are_known_already() {
    let mut sending = Sending::new(2, 1, true, DEADLINE);
    let two = [free(1), free(2)];
    asked(&mut sending, NOW, &two);
    assert!(sending.answered(NOW, peer(1), status(505, "")));
    assert_eq!(sending.next(NOW, &two), Step::Over(Over::Accepted));
}

#[test]
fn a_refusal_with_two_meanings_beside_an_acceptance_means_known() {
    let two = [free(1), free(2)];
    for first in [1, 2] {
        let mut sending = Sending::new(2, 2, false, DEADLINE);
        asked(&mut sending, NOW, &two);
        let mut answers = [(peer(1), ok()), (peer(2), status(505, ""))];
        if first == 2 {
            answers.reverse();
        }
        for (peer, answer) in answers {
            sending.answered(NOW, peer, answer);
        }
        assert_eq!(sending.next(NOW, &two), Step::Over(Over::Accepted));
        assert_eq!(sending.accepted().count(), 2);
        assert!(sending.may_be_known());
    }

    let mut sending = Sending::new(2, 1, false, DEADLINE);
    asked(&mut sending, NOW, &two);
    sending.answered(NOW, peer(1), status(505, ""));
    assert!(sending.may_be_known(), "the other has not answered");
    sending.answered(NOW, peer(2), status(505, ""));
    assert!(!sending.may_be_known(), "nobody took it");
}

#[test]
fn what_was_taken_and_not_seen_goes_to_one_server_more() {
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    let all = [free(1), free(2)];
    asked(&mut sending, NOW, &all);
    assert!(!sending.wants_more());
    sending.answered(NOW, peer(1), ok());
    assert_eq!(sending.next(NOW, &all), Step::Over(Over::Accepted));
    sending.one_more();
    assert!(sending.wants_more());
    assert_eq!(asked(&mut sending, NOW + 5_000, &all), [peer(2)]);
    sending.answered(NOW + 5_000, peer(2), ok());
    assert_eq!(sending.next(NOW + 5_000, &all), Step::Over(Over::Accepted));
    assert_eq!(sending.accepted().count(), 2);
}

#[test]
fn an_answer_of_somebody_who_was_not_asked_is_nothing() {
    let mut sending = Sending::new(1, 1, false, DEADLINE);
    assert!(!sending.answered(NOW, peer(9), ok()));
}
