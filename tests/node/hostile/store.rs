//! What stores answer.

use std::time::Duration;

use lightkeeper::fleet::hostile::{Answer, Part, StoreLie};
use lightkeeper::node::{NodeError, StoreQuery};

use super::stage::{Stage, serving};
use crate::client::soon;
use crate::driver::world::{PATIENCE, TOPIC};

/// More pages than any history here has.
const MANY: usize = 20;

impl Stage {
    fn keep(&self, texts: &[&str]) {
        for text in texts {
            let bytes = text.as_bytes().to_vec();
            self.world.fleet.publish(TOPIC, bytes, false).unwrap();
        }
    }

    /// The whole history, page by page as the package's iterator asks for it.
    async fn history(&self, page_size: u64) -> Result<Vec<String>, NodeError> {
        let mut query = StoreQuery {
            content_topics: vec![TOPIC.into()],
            page_size: Some(page_size),
            ascending: true,
            ..StoreQuery::default()
        };
        let mut found = Vec::new();
        for _ in 0..MANY {
            let page = soon(self.world.node.query(query.clone(), PATIENCE)).await?;
            let text = |m: &lightkeeper::node::Received| {
                String::from_utf8(m.message.payload().to_vec()).unwrap()
            };
            found.extend(page.messages.iter().map(text));
            if page.position.is_none() {
                return Ok(found);
            }
            query.position = page.position;
        }
        panic!("a history without an end: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_anything_true_does_not_end_the_history() {
    for lie in [StoreLie::FalseFirst, StoreLie::EmptyFirst] {
        let script = serving().on(Part::Store, Answer::Lie(lie));
        let stage = Stage::new(vec![script, serving()]).await;
        stage.keep(&["one", "two"]);
        // Whoever is asked, and asked again when one of them lied.
        for _ in 0..4 {
            let found = stage.history(20).await;
            assert_eq!(found.unwrap(), ["one", "two"], "{lie:?}");
        }
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_delivered_do_not_end_the_history() {
    let stage = Stage::new(vec![serving()]).await;
    stage.keep(&["one", "", "three"]);
    assert_eq!(stage.history(1).await.unwrap(), ["one", "three"]);
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lies_is_charged_and_another_tells_the_truth() {
    for lie in [StoreLie::FalseHashes, StoreLie::SameCursor] {
        let stage = Stage::new(vec![serving(), serving()]).await;
        stage.keep(&["one", "two", "three"]);
        assert_eq!(stage.history(2).await.unwrap(), ["one", "two", "three"]);
        let preferred = stage
            .hostile
            .iter()
            .find(|h| !h.asked_for(Part::Store).is_empty())
            .unwrap();
        preferred.change(|script| script[Part::Store].then = Answer::Lie(lie));
        let found = stage.history(2).await.unwrap();
        assert_eq!(found, ["one", "two", "three"], "{lie:?}");
        let peer = preferred.peer_id().to_string();
        let charges = stage.charges();
        assert!(charges.iter().any(|c| c.contains(&peer)), "{charges:?}");
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_goes_on_elsewhere_when_its_cursor_or_its_server_is_lost() {
    for then in [
        Answer::Lie(StoreLie::CursorLost),
        Answer::status(503, "SERVICE_UNAVAILABLE"),
        Answer::too_many(),
        Answer::Close,
    ] {
        let stage = Stage::new(vec![serving(), serving()]).await;
        stage.keep(&["one", "two", "three"]);
        // Each gives one page and fails from the second on.
        for hostile in &stage.hostile {
            let then = then.clone();
            hostile.change(|script| {
                script[Part::Store].next.push_back(Answer::Honest);
                script[Part::Store].next.push_back(then);
            });
        }
        let found = stage.history(1).await;
        assert_eq!(found.unwrap(), ["one", "two", "three"], "{then:?}");
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_queries_at_once_are_answered_and_charge_nobody() {
    let late = Answer::Late(Duration::from_millis(100), Box::new(Answer::Honest));
    let stage = Stage::new(vec![serving().on(Part::Store, late)]).await;
    stage.keep(&["one"]);
    let all = futures::future::join_all((0..100).map(|_| stage.history(20))).await;
    for found in all {
        assert_eq!(found.unwrap(), ["one"]);
    }
    stage.assert_nobody_charged();
    stage.close().await;
}
