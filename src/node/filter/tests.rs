use super::*;
use crate::protocols::message::WakuMessage;

const TOPIC: &str = "/toychat/2/huilong/proto";

fn network() -> Network {
    Network::auto(1, 8).unwrap()
}

fn peer() -> PeerId {
    PeerId::random()
}

fn push(content_topic: &str, payload: u8) -> MessagePush {
    let topic = network().shard_of(content_topic, None).unwrap();
    MessagePush {
        waku_message: Some(WakuMessage::new(content_topic, vec![payload], 1)),
        pubsub_topic: Some(topic.to_string()),
    }
}

fn subscribe(table: &mut Subscriptions, topic: &str, peer: PeerId) -> SubscriptionId {
    let groups = group(&network(), &[topic.to_owned()], None).unwrap();
    let (id, _) = table.add(groups);
    table.set_peer(id, Some(peer), 0);
    id
}

#[test]
fn a_push_reaches_every_subscription_of_its_topic_once() {
    let mut table = Subscriptions::default();
    let (one, two) = (peer(), peer());
    let first = subscribe(&mut table, TOPIC, one);
    let second = subscribe(&mut table, TOPIC, two);
    match table.accept(&network(), one, push(TOPIC, 1), 1) {
        Delivery::To(to, _) => assert_eq!(to, [first, second]),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        table.accept(&network(), two, push(TOPIC, 1), 2),
        Delivery::Dropped
    ));
}

#[test]
fn a_push_from_a_stranger_is_unwanted() {
    let mut table = Subscriptions::default();
    subscribe(&mut table, TOPIC, peer());
    assert!(matches!(
        table.accept(&network(), peer(), push(TOPIC, 1), 1),
        Delivery::Unwanted(_)
    ));
}

#[test]
fn a_push_of_a_topic_that_was_not_asked_for_is_unwanted() {
    let mut table = Subscriptions::default();
    let server = peer();
    subscribe(&mut table, TOPIC, server);
    assert!(matches!(
        table.accept(&network(), server, push("/other/1/topic/proto", 1), 1),
        Delivery::Unwanted(_)
    ));
}

#[test]
fn late_pushes_of_an_ended_subscription_are_no_fault_for_a_minute() {
    let mut table = Subscriptions::default();
    let server = peer();
    let id = subscribe(&mut table, TOPIC, server);
    table.remove(id, 0);
    assert!(matches!(
        table.accept(&network(), server, push(TOPIC, 1), 59_000),
        Delivery::Dropped
    ));
    assert!(matches!(
        table.accept(&network(), server, push(TOPIC, 1), 61_000),
        Delivery::Unwanted(_)
    ));
}

#[test]
fn a_topic_is_unsubscribed_only_when_nobody_else_has_it_from_that_peer() {
    let mut table = Subscriptions::default();
    let server = peer();
    let first = subscribe(&mut table, TOPIC, server);
    let second = subscribe(&mut table, TOPIC, server);
    let (from, groups) = table.remove(first, 0).unwrap();
    assert_eq!((from, groups.len()), (Some(server), 0));
    let (_, groups) = table.remove(second, 0).unwrap();
    assert_eq!(groups[0].content_topics, [TOPIC]);
}

#[test]
fn topics_are_grouped_by_shard() {
    let topics = [TOPIC, "/toychat/2/other/proto", "/app/1/x/proto"].map(String::from);
    let groups = group(&network(), &topics, None).unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        groups.iter().map(|g| g.content_topics.len()).sum::<usize>(),
        3
    );
}

#[test]
fn requests_to_one_server_are_spaced() {
    let mut table = Subscriptions::default();
    let server = peer();
    assert_eq!(table.pace(server, 0), Duration::ZERO);
    assert_eq!(table.pace(server, 0), REQUEST_SPACING);
    assert_eq!(table.pace(peer(), 0), Duration::ZERO);
}
