//! Peers that answer peer exchange with what is no answer (peer-exchange.md, section 6).

use lightkeeper::fleet::hostile::{Answer, Part, Script};
use lightkeeper::node::{LogLevel, NodeEvent};
use lightkeeper::protocols::peer_exchange;

use super::stage::Stage;
use crate::client::soon;

/// The line that a node writes of a server that breaks peer exchange, which knows nobody else to ask.
async fn told_of(answer: Answer) -> String {
    let script = Script::honest().on(Part::PeerExchange, answer);
    let stage = Stage::with(vec![script], |config| {
        // One more than there are, so that somebody is looked for.
        (config.needs.filter.target, config.needs.filter.max) = (2, 2);
    })
    .await;
    soon(stage.hostile[0].until_asked(Part::PeerExchange, 1)).await;
    let peer = stage.hostile[0].peer_id().to_string();
    let line = stage
        .world
        .event_since(0, |event| match event {
            NodeEvent::Log(LogLevel::Warn, "peer-exchange", line) => Some(line.clone()),
            _ => None,
        })
        .await;
    assert!(line.contains(&peer), "{line}");
    // It serves as before: what it says of others is another matter.
    let subscribed = stage.subscribe().await;
    stage.hear(subscribed.id, "served").await;
    stage.assert_nobody_charged();
    assert_eq!(stage.world.node.peers().len(), 1);
    stage.close().await;
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_told_as_a_fault() {
    let line = told_of(Answer::Garbage).await;
    assert!(line.contains("undecodable"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_told_before_it_has_come() {
    // Only the length comes: whoever waited for the rest would hear of no fault.
    let line = told_of(Answer::Announced(peer_exchange::MAX_RESPONSE + 1)).await;
    assert!(line.contains("limit"), "{line}");
}
