//! Carries a message to its servers: one task for each, which lives until the last of them has answered or had its time,
//! because what becomes of a request is the manager's business also when the caller has its answer.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use libp2p::PeerId;

use super::confirm::{Confirming, Look, who_has};
use super::sent::Key;
use super::{Requests, SendReport};
use crate::manager::{ConnId, Event, Outcome, RequirementId};
use crate::node::config::{LIGHT_PUSH, STORE};
use crate::node::driver::Driver;
use crate::node::error::{ErrorCode, NodeError};
use crate::node::handle::Node;
use crate::node::platform;
use crate::node::request::Asked;
use crate::node::verdicts::{answer_of, error};
use crate::protocols::charge::{self, Circumstances};
use crate::protocols::ids;
use crate::protocols::lightpush::sending::{Candidate, Over, Sending, Step};
use crate::protocols::lightpush::{self, Accepted, v2, v3};
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::{End, ExactClass, FailureClass, Protocol, Verdict};

/// A server that takes nothing for so long is passed over, if there is another.
const FULL_MS: u64 = 1_000;
/// How often stores are asked for a message of which nobody says that it was taken.
const LOOK_EVERY_MS: u64 = 750;

/// One message.
pub(super) struct Mail {
    requests: std::sync::Arc<Requests>,
    hash: MessageHash,
    ephemeral: bool,
    shard: u16,
    begun: u64,
    confirm: bool,
}

impl Mail {
    pub(super) fn new(topic: PubsubTopic, message: WakuMessage, begun: u64, confirm: bool) -> Self {
        Self {
            hash: message.hash(&topic.to_string()),
            ephemeral: message.ephemeral == Some(true),
            shard: topic.shard,
            requests: std::sync::Arc::new(Requests::new(topic, message)),
            begun,
            confirm,
        }
    }

    pub(super) fn key(&self) -> Key {
        (self.hash, self.ephemeral)
    }
}

/// What a server said.
type Said = (Asked, Result<Accepted, Verdict>, Circumstances);

type Told = oneshot::Sender<Result<SendReport, NodeError>>;

/// The servers by now, and what tells of a change.
type Around = (Vec<Candidate>, Option<oneshot::Receiver<()>>);

/// What a turn waits for.
enum Next {
    Said(Said),
    /// A store knows the message, or none does.
    Known(Option<PeerId>),
    /// Something changed, the time came, or the caller gave up.
    Look,
    Closed,
}

/// See the module's documentation.
pub(super) async fn carry(node: Node, mail: Mail, sending: Sending, tell: Told) {
    node.lock().sends().echoes.listen(mail.hash);
    let mut carrier = Carrier {
        confirming: mail.confirm.then(|| Confirming::new(mail.key())),
        node,
        mail,
        sending,
        tell: Some(tell),
        open: Vec::new(),
        looking: None,
        look_at: 0,
        passed_over: Vec::new(),
        unsure: Vec::new(),
    };
    carrier.run().await;
    let Carrier { node, mail, .. } = carrier;
    let mut driver = node.lock();
    driver.sends().echoes.forget(&mail.hash);
    driver.sends().sent.end(mail.key());
    driver.notify_waiting();
}

struct Carrier {
    node: Node,
    mail: Mail,
    sending: Sending,
    tell: Option<Told>,
    /// The requests under way: a handful, so that each is looked at whenever one has news.
    open: Vec<BoxFuture<'static, Option<Said>>>,
    confirming: Option<Confirming>,
    looking: Option<BoxFuture<'static, Option<PeerId>>>,
    /// When stores are asked for it again.
    look_at: u64,
    /// Servers whose pace holds it up, of whom the manager knows.
    passed_over: Vec<PeerId>,
    /// Refusals with two meanings, judged when it is known what became of the message.
    unsure: Vec<(Asked, Verdict, Circumstances)>,
}

impl Carrier {
    async fn run(&mut self) {
        loop {
            let Some((candidates, changed)) = self.look_around() else {
                return;
            };
            let now = platform::now().mono_ms;
            let mut wake = u64::MAX;
            if self.tell.as_ref().is_some_and(|tell| !tell.is_canceled()) {
                match self.turn(now, &candidates) {
                    Some(until) => wake = until,
                    None => continue,
                }
            } else {
                self.finish_waiting();
                if self.open.is_empty() {
                    break;
                }
            }
            match self.wait(changed, wake.saturating_sub(now)).await {
                Next::Said(said) => self.on_said(said),
                Next::Known(Some(peer)) => {
                    let mut driver = self.node.lock();
                    driver.sends().echoes.heard(&self.mail.hash, peer);
                }
                Next::Known(None) | Next::Look => {}
                Next::Closed => return,
            }
        }
        let known = self.sending.may_be_known();
        for (asked, verdict, mut how) in std::mem::take(&mut self.unsure) {
            how.known_bytes = known;
            self.node.judge(asked, Err(&verdict), how);
        }
    }

    /// The servers by now, and when to look again; nothing once the node is closed. A stop ends the call.
    fn look_around(&mut self) -> Option<Around> {
        let mut driver = self.node.open_driver().ok()?;
        if !driver.is_started()
            && let Some(tell) = self.tell.take()
        {
            let _ = tell.send(Err(NodeError::not_started()));
        }
        // Who waits for answers alone need not look at each change of the node.
        if !self.sending.wants_more() && self.confirming.is_none() {
            return Some((Vec::new(), None));
        }
        let candidates = driver.candidates(LIGHT_PUSH, self.mail.shard);
        Some((candidates, Some(driver.changed())))
    }

    /// One thing that is to be done now; when nothing is, the time until which nothing will.
    fn turn(&mut self, now: u64, candidates: &[Candidate]) -> Option<u64> {
        match self.sending.next(now, candidates) {
            Step::Ask(one) => {
                let asking = self.hand_over(one.peer, ConnId(one.conn));
                self.open.push(Box::pin(asking));
                None
            }
            Step::Doubt { conn, .. } => {
                let conn = ConnId(conn);
                self.node.lock().input(Event::Doubt { conn });
                None
            }
            Step::Late(peer) => {
                let mut driver = self.node.lock();
                driver.report(peer, LIGHT_PUSH, Outcome::Late, false);
                None
            }
            Step::Wait(until) => {
                self.pass_over_who_is_full(now, candidates);
                if self.sending.is_unsure() {
                    return self.look_whether_it_is_out(now, until);
                }
                Some(until)
            }
            Step::Over(Over::Accepted) if self.confirming.is_some() => self.look_for_it(now),
            Step::Over(over) => {
                self.tell(over, None);
                None
            }
        }
    }

    /// Somebody else is wanted while a server takes nothing for longer than a second, and too few who serve can be asked.
    fn pass_over_who_is_full(&mut self, now: u64, candidates: &[Candidate]) {
        if !self.sending.wants_more() {
            return;
        }
        for one in candidates {
            if one.free_at > now + FULL_MS && !self.passed_over.contains(&one.peer) {
                self.passed_over.push(one.peer);
                let mut driver = self.node.lock();
                driver.report(one.peer, LIGHT_PUSH, Outcome::Late, false);
            }
        }
    }

    /// Nobody took the message, and somebody may have without a word: has anybody else seen it?
    fn look_whether_it_is_out(&mut self, now: u64, until: u64) -> Option<u64> {
        let mut driver = self.node.lock();
        if driver.sends().echoes.witness(&self.mail.hash).is_some() {
            self.sending.seen();
            return None;
        }
        if self.looking.is_none() && now >= self.look_at {
            self.look_at = now + LOOK_EVERY_MS;
            let stores = driver.serving(STORE, self.mail.shard);
            drop(driver);
            let found = who_has(self.node.clone(), stores, self.mail.hash);
            self.looking = Some(Box::pin(found));
        }
        Some(until.min(self.look_at))
    }

    /// The message was taken: does anybody else have it?
    fn look_for_it(&mut self, now: u64) -> Option<u64> {
        let confirming = self.confirming.as_mut()?;
        let takers: Vec<_> = self.sending.accepted().collect();
        let mut driver = self.node.lock();
        let look = confirming.look(&mut driver, &takers, self.mail.shard, now);
        match look {
            Look::Confirmed(witness) => {
                confirming.blame(&mut driver);
                drop(driver);
                self.tell(Over::Accepted, Some(witness));
                None
            }
            Look::Stores(stores) => {
                drop(driver);
                if self.looking.is_none() {
                    let found = who_has(self.node.clone(), stores, self.mail.hash);
                    self.looking = Some(Box::pin(found));
                }
                None
            }
            Look::SendAgain => {
                self.sending.one_more();
                None
            }
            Look::Wait(until) => {
                drop(driver);
                if now >= self.sending.deadline() {
                    self.tell(Over::Exhausted, None);
                    return None;
                }
                Some(until.min(self.sending.deadline()))
            }
        }
    }

    fn on_said(&mut self, (asked, answer, how): Said) {
        let now = platform::now().mono_ms;
        let took = self.sending.answered(now, asked.peer, answer.clone());
        if took {
            self.node.lock().sends().sent.accepted(self.mail.key(), now);
            if let Some(confirming) = &mut self.confirming {
                confirming.taken(now);
            }
        }
        match answer {
            Ok(_) => self.node.judge(asked, Ok(()), how),
            Err(_) if took => {}
            Err(verdict) if verdict.class == ExactClass::NoRelayPeers => {
                self.unsure.push((asked, verdict, how));
            }
            Err(verdict) => self.node.judge(asked, Err(&verdict), how),
        }
    }

    /// Asks one server.
    fn hand_over(
        &self,
        peer: PeerId,
        conn: ConnId,
    ) -> impl Future<Output = Option<Said>> + Send + 'static {
        let (node, requests) = (self.node.clone(), self.mail.requests.clone());
        // Its place in the pace was free in this very turn.
        let _ = node
            .lock()
            .pace(peer, LIGHT_PUSH)
            .try_take(platform::now().mono_ms);
        async move {
            let mut asked = Asked {
                peer,
                conn,
                requirement: LIGHT_PUSH,
                protocol: Protocol::LightpushV3,
            };
            let encode = |protocol: &str| {
                if protocol == ids::LIGHTPUSH_V3 {
                    requests.v3.encode()
                } else {
                    requests.v2.encode()
                }
            };
            let timeout = charge::timeout(asked.protocol);
            let protocols = [ids::LIGHTPUSH_V3, ids::LIGHTPUSH_V2];
            let limit = lightpush::MAX_RESPONSE;
            let answer = node.ask(asked, &protocols, &encode, limit, timeout).await;
            let answer = answer.ok()?;
            if answer.spoken == ids::LIGHTPUSH_V2 {
                asked.protocol = Protocol::LightpushV2;
            }
            let bytes = answer_of(asked.protocol, answer.exchange);
            let undecodable = || Verdict::of_end(asked.protocol, End::Undecodable);
            let result = bytes.and_then(|bytes| match asked.protocol {
                Protocol::LightpushV2 => {
                    let answer = v2::Rpc::decode(&bytes).map_err(|_| undecodable())?;
                    v2::interpret(&requests.v2, &answer)
                }
                _ => {
                    let answer = v3::Response::decode(&bytes).map_err(|_| undecodable())?;
                    v3::interpret(&requests.v3, &answer)
                }
            });
            Some((asked, result, answer.how))
        }
    }

    /// The caller has its answer.
    fn tell(&mut self, over: Over, confirmed_by: Option<PeerId>) {
        let Some(tell) = self.tell.take() else {
            return;
        };
        let report = match over {
            Over::Accepted => Ok(SendReport {
                hash: self.mail.hash,
                accepted: self.sending.accepted().collect(),
                failed: self
                    .sending
                    .failed()
                    .map(|(peer, verdict)| (peer, verdict.failure, verdict.message.clone()))
                    .collect(),
                attempts: self.sending.asked(),
                elapsed: Duration::from_millis(platform::now().mono_ms - self.mail.begun),
                confirmed_by,
            }),
            Over::Rejected | Over::Exhausted => Err(self.failure(over)),
        };
        // Who gave up needs no word.
        let _ = tell.send(report);
    }

    fn failure(&self, over: Over) -> NodeError {
        let tried: Vec<_> = self
            .sending
            .failed()
            .map(|(peer, verdict)| error(verdict, peer))
            .collect();
        if over == Over::Rejected
            && let Some(wrong) = tried.iter().find(|one| one.code == ErrorCode::Rejected)
        {
            return wrong.clone().tried(tried);
        }
        if self.sending.accepted().next().is_some() {
            let what =
                "lightpush: it was taken, but not by enough peers, or nobody else has it yet";
            return NodeError::new(ErrorCode::Timeout, what).tried(tried);
        }
        let unknown = self.sending.failed().any(|(_, verdict)| {
            verdict.failure == FailureClass::Broken && verdict.class == ExactClass::Timeout
        });
        if unknown || self.sending.unanswered().next().is_some() {
            let what = "lightpush: no answer in time; the message may have been published";
            let silent = self.sending.unanswered().map(|peer| {
                NodeError::new(ErrorCode::Timeout, "lightpush: no answer in time").about(peer)
            });
            let tried = tried.into_iter().chain(silent).collect();
            return NodeError::new(ErrorCode::Timeout, what).tried(tried);
        }
        self.node.exhausted(LIGHT_PUSH, tried)
    }

    /// Nobody waits for the message to be confirmed any more.
    fn finish_waiting(&mut self) {
        self.tell = None;
        self.looking = None;
    }

    async fn wait(&mut self, mut changed: Option<oneshot::Receiver<()>>, wait_ms: u64) -> Next {
        // Sleeps are cut to some days, after which it does no harm to look again.
        let mut timer = platform::sleep(Duration::from_millis(wait_ms));
        poll_fn(|cx| {
            for place in 0..self.open.len() {
                if let Poll::Ready(said) = self.open[place].as_mut().poll(cx) {
                    drop(self.open.swap_remove(place));
                    return Poll::Ready(said.map_or(Next::Closed, Next::Said));
                }
            }
            if let Some(looking) = &mut self.looking
                && let Poll::Ready(found) = looking.as_mut().poll(cx)
            {
                self.looking = None;
                return Poll::Ready(Next::Known(found));
            }
            if let Some(tell) = &mut self.tell
                && tell.poll_canceled(cx).is_ready()
            {
                return Poll::Ready(Next::Look);
            }
            if let Some(Poll::Ready(said)) = changed.as_mut().map(|c| c.poll_unpin(cx)) {
                return Poll::Ready(said.map_or(Next::Closed, |()| Next::Look));
            }
            timer.as_mut().poll(cx).map(|()| Next::Look)
        })
        .await
    }
}

impl Driver {
    /// Who serves a requirement, the best first, and when each may be asked.
    pub(in crate::node) fn candidates(
        &mut self,
        requirement: RequirementId,
        shard: u16,
    ) -> Vec<Candidate> {
        let now = platform::now().mono_ms;
        let serving = self.serving(requirement, shard);
        serving
            .into_iter()
            .map(|(peer, conn)| {
                let rtt_ms = self.manager().peer(&peer).and_then(|view| view.rtt_ms);
                let free_at = now + self.pace(peer, requirement).wait(now);
                Candidate {
                    peer,
                    conn: conn.0,
                    free_at,
                    rtt_ms,
                }
            })
            .collect()
    }
}
