//! S13 and L8: what protocols are granted, and that each hears of it.

use std::collections::BTreeMap;

use lightkeeper::manager::{
    Bound, Class, Command, EnrollmentId, Event, Grant, Offer, ProtocolSpec, What,
};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// S13: grants fit, and are never above what was asked for.
pub(crate) struct Fair;

/// What a protocol asks of so many connections: minima rounded up, maxima down, and those never below 1 or the minimum
/// (4.4). A share above the whole is the whole.
pub(super) fn asked(spec: &ProtocolSpec, soft: u16) -> (u64, u64) {
    let soft = u64::from(soft);
    let share = |permille: u16| soft * u64::from(permille.min(1_000));
    let low = match spec.quota.min {
        None => 0,
        Some(Bound::Count(count)) => u64::from(count),
        Some(Bound::Permille(permille)) => {
            let exact = share(permille);
            exact / 1_000 + u64::from(exact % 1_000 > 0)
        }
    };
    let high = match spec.quota.max {
        None => soft,
        Some(Bound::Count(count)) => u64::from(count),
        Some(Bound::Permille(permille)) => share(permille) / 1_000,
    };
    (low, high.max(low).max(1))
}

fn not_above(spec: &ProtocolSpec, grant: Grant, soft: u16) -> bool {
    let (low, high) = asked(spec, soft);
    u64::from(grant.low) <= low && u64::from(grant.high) <= high
}

impl Fair {
    fn whole(scene: &Scene<'_>) -> Verdict {
        let soft = scene.view.stats.soft;
        let protocols = &scene.view.protocols;
        let critical = protocols.iter().filter(|p| p.class == Class::Critical);
        let critical = critical.count();
        let mut lows = 0;
        for protocol in protocols {
            let Some(grant) = protocol.granted.or(protocol.offered) else {
                return Err(format!("{} has neither grant nor offer", protocol.name));
            };
            lows += u32::from(grant.low);
            ensure!(
                grant.low <= grant.high,
                "{}: {grant:?} ends before it begins",
                protocol.name
            );
            let Some(enrolled) = protocol
                .enrollment
                .and_then(|id| scene.ledger.claims.enrolled.get(&id))
            else {
                continue;
            };
            ensure!(
                not_above(&enrolled.spec, grant, soft),
                "{}: {grant:?} is above what it asks for: {:?}",
                protocol.name,
                enrolled.spec.quota
            );
            let (low, _) = asked(&enrolled.spec, soft);
            let vital = protocol.class == Class::Critical && low > 0;
            ensure!(
                !vital || grant.low > 0 || critical > usize::from(soft),
                "{} is critical, one of {critical}, and is granted {grant:?} of {soft}",
                protocol.name
            );
        }
        ensure!(
            lows <= u32::from(soft),
            "minima of {lows} are granted, and there are {soft}"
        );
        Ok(())
    }
}

impl Invariant for Fair {
    fn id(&self) -> &'static str {
        "S13"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Offer { enrollment, offer } = command else {
            return Ok(());
        };
        // Who enrolls a second time means nothing by it.
        let enrolled = scene.ledger.claims.enrolled.get(enrollment);
        let spec = match (enrolled, scene.input) {
            (Some(enrolled), _) => Some(&enrolled.spec),
            (
                None,
                Some(Input::Event(Event::Enroll {
                    enrollment: new,
                    spec,
                })),
            ) if new == enrollment => Some(spec),
            _ => None,
        };
        let Some(spec) = spec else {
            return Err(format!("{offer:?} to {enrollment:?}, who is not there"));
        };
        // The whole may have changed within this input, before or after it was told.
        let between = scene.view.decisions.iter().filter_map(|what| match what {
            What::Limits { soft, .. } => Some(*soft),
            _ => None,
        });
        let ends = [scene.before.stats.soft, scene.view.stats.soft];
        let softs: Vec<u16> = ends.into_iter().chain(between).collect();
        let of_some = |right: &dyn Fn(u16) -> bool| softs.iter().any(|soft| right(*soft));
        let right = match offer {
            Offer::Granted(grant) => of_some(&|soft| {
                not_above(spec, *grant, soft) && u64::from(grant.low) == asked(spec, soft).0
            }),
            Offer::Counter { grant, .. } => of_some(&|soft| {
                not_above(spec, *grant, soft) && u64::from(grant.low) < asked(spec, soft).0
            }),
            Offer::Rejected(_) | Offer::Ended => true,
        };
        ensure!(right, "{offer:?} to {enrollment:?}, who asks for {spec:?}");
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        Self::whole(scene)
    }
}

/// How long an enrollment may take beside the time that its protocol has to answer.
const SETTLES_MS: u64 = 10_000;

/// L8: each enrollment ends up granted or rejected, also when the answers to offers are lost.
#[derive(Default)]
pub(crate) struct Settled {
    /// Who waits, and until when at most.
    waiting: BTreeMap<EnrollmentId, u64>,
}

impl Settled {
    fn overdue(&self, now: u64) -> Verdict {
        for (id, until) in &self.waiting {
            ensure!(now <= *until, "{id:?} waits although {until} has passed");
        }
        Ok(())
    }
}

impl Invariant for Settled {
    fn id(&self) -> &'static str {
        "L8"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(Event::Enroll { enrollment, spec })) = scene.input
            && !scene.ledger.claims.enrolled.contains_key(enrollment)
        {
            let until = scene.now().saturating_add(spec.answer_ms);
            self.waiting
                .insert(*enrollment, until.saturating_add(SETTLES_MS));
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, _scene: &Scene<'_>) -> Verdict {
        if let Command::Offer {
            enrollment,
            offer: Offer::Rejected(_) | Offer::Ended,
        } = command
        {
            self.waiting.remove(enrollment);
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        for protocol in &scene.view.protocols {
            if let Some(id) = protocol.enrollment.filter(|_| protocol.granted.is_some()) {
                self.waiting.remove(&id);
            }
        }
        if scene.more_is_due() {
            return Ok(());
        }
        self.overdue(scene.now())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Verdict {
        // Who wants no wake-up is never told that it is late.
        if scene.view.next_deadline.is_none() && !self.waiting.is_empty() {
            return Err(format!("{:?} wait for ever", self.waiting.keys()));
        }
        Ok(())
    }
}
