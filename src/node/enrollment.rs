//! Protocols of the user's own that take part in the manager's arbitration (contract.md 4.3).

use libp2p::PeerId;

use super::driver::Answer;
use super::error::NodeError;
use super::handle::Node;
use super::leases::{answer, unanswered};
use crate::manager::{
    Bound, EnrollmentId, Event, Grant, LockDenial, Offer, Outcome, ProtocolSpec, RequirementId,
};

/// Protocol ids that one enrolled protocol may name.
const MAX_PROTOCOLS: usize = 16;
/// Longest name or protocol id, in bytes.
const MAX_NAME: usize = 256;

/// A protocol that was enrolled, or has an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its name.
    pub id: EnrollmentId,
    /// Its share, or what there is of what it asked for.
    pub granted: Grant,
    /// For a counter-offer, how long it waits for [`Node::accept_offer`] or [`Node::withdraw`], in milliseconds; then it
    /// counts as accepted.
    pub answer_ms: Option<u64>,
}

impl Node {
    /// Enrolls a protocol. Changes of its share follow as events, until it is withdrawn.
    ///
    /// # Errors
    /// `invalid-options` for a specification that can't be right, `denied` when there is no share left or the name is
    /// taken, `closed`.
    pub async fn enroll(&self, spec: ProtocolSpec) -> Result<Enrolled, NodeError> {
        check(&spec)?;
        let name = spec.name.clone();
        let (id, asked, undo) = self.request(
            |id| Event::Enroll {
                enrollment: EnrollmentId(id),
                spec,
            },
            |id| Event::Withdraw {
                enrollment: EnrollmentId(id),
            },
        )?;
        let answered = answer(self, asked).await?;
        undo.disarm();
        let (granted, answer_ms) = match answered {
            Answer::Offer(Offer::Granted(grant)) => (grant, None),
            Answer::Offer(Offer::Counter { grant, answer_ms }) => (grant, Some(answer_ms)),
            Answer::Offer(Offer::Rejected(reason)) => {
                let what = format!("{name} is not enrolled");
                return Err(NodeError::denied(what, reason.as_str()));
            }
            _ => return Err(unanswered()),
        };
        Ok(Enrolled {
            id: EnrollmentId(id),
            granted,
            answer_ms,
        })
    }

    /// Takes a counter-offer. Without one nothing happens.
    ///
    /// # Errors
    /// `closed`.
    pub fn accept_offer(&self, enrollment: EnrollmentId) -> Result<(), NodeError> {
        self.input(Event::AcceptOffer { enrollment })
    }

    /// Ends an enrollment with all that belongs to it. One that has ended already is none.
    ///
    /// # Errors
    /// `closed`.
    pub fn withdraw(&self, enrollment: EnrollmentId) -> Result<(), NodeError> {
        self.input(Event::Withdraw { enrollment })
    }

    /// Says how a peer did at the requirement that a protocol brought along.
    ///
    /// # Errors
    /// `denied` for a protocol that is not enrolled, `invalid-options` for one without a requirement, `closed`.
    pub fn report_outcome(
        &self,
        enrollment: EnrollmentId,
        peer: PeerId,
        outcome: Outcome,
    ) -> Result<(), NodeError> {
        let mut driver = self.open_driver()?;
        let requirement = requirement_of(driver.manager().protocols(), enrollment)?;
        driver.report(peer, requirement, outcome, true);
        Ok(())
    }

    /// Answers [`NodeEvent::Scores`](super::NodeEvent::Scores): what connections are worth to a protocol, from -1000 to
    /// 1000. Peers that are left out keep their last value; an answer that is late changes nothing.
    ///
    /// # Errors
    /// `closed`.
    pub fn give_scores(
        &self,
        enrollment: EnrollmentId,
        round: u64,
        scores: Vec<(PeerId, i16)>,
    ) -> Result<(), NodeError> {
        self.input(Event::Scores {
            round,
            enrollment,
            scores,
        })
    }
}

fn requirement_of(
    protocols: Vec<crate::manager::ProtocolView>,
    enrollment: EnrollmentId,
) -> Result<RequirementId, NodeError> {
    let protocol = protocols
        .into_iter()
        .find(|protocol| protocol.enrollment == Some(enrollment))
        .ok_or_else(|| NodeError::denied("no report", LockDenial::NotEnrolled.as_str()))?;
    protocol.requirement.ok_or_else(|| {
        let message = format!(
            "{} was enrolled without one, so that no peer serves it",
            protocol.name
        );
        NodeError::option("requirement", message)
    })
}

/// Rules that the manager takes for granted.
fn check(spec: &ProtocolSpec) -> Result<(), NodeError> {
    let fits = |text: &String| (1..=MAX_NAME).contains(&text.len());
    if !fits(&spec.name) {
        let message = format!("should be a text of 1 to {MAX_NAME} bytes");
        return Err(NodeError::option("name", message));
    }
    if !(1..=MAX_PROTOCOLS).contains(&spec.protocols.len()) || !spec.protocols.iter().all(fits) {
        let message = format!("should be 1 to {MAX_PROTOCOLS} protocol ids");
        return Err(NodeError::option("protocols", message));
    }
    if !(1..=16).contains(&spec.weight) {
        return Err(NodeError::option("weight", "should be from 1 to 16"));
    }
    let too_much = |bound| matches!(bound, Some(Bound::Permille(1_001..)));
    if too_much(spec.quota.min) || too_much(spec.quota.max) {
        return Err(NodeError::option("quota", "should be at most 100%"));
    }
    match spec.need {
        Some(need) if need.min > need.target || need.target > need.max => Err(NodeError::option(
            "requirement",
            "a need should have min ≤ target ≤ max",
        )),
        _ => Ok(()),
    }
}
