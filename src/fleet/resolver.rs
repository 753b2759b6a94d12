//! The resolver of the record tree, and what can be made to go wrong with it.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;

use super::{
    events::{EventKind, Events, FleetEvent},
    keys::Key,
};
use crate::discovery::{
    dns::{self, Question, RCODE_NO_ERROR, RCODE_NXDOMAIN, TYPE_TXT},
    enrtree::{
        UrlError,
        builder::{Zone, build_zone},
    },
};

/// The domain of the fleet's tree; `.test` never exists outside (RFC 2606).
pub const DOMAIN: &str = "fleet.lightkeeper.test";

/// The sequence number of the tree.
const SEQ: u64 = 1;

/// How long answers may be kept, in seconds.
const TTL_S: u32 = 60;

/// How the resolver behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolverMode {
    /// As it should.
    #[default]
    Ok,
    /// It answers 503.
    Down,
    /// It answers three seconds late.
    Slow,
    /// It answers with a root of a foreign key, and with forged records below.
    Lie,
    /// Its root is true; what it answers below is forged and does not match its hash.
    Forge,
}

/// No mode has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such mode; known are ok, down, slow, lie, forge")]
pub struct UnknownMode;

impl FromStr for ResolverMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Ok(match text {
            "ok" => Self::Ok,
            "down" => Self::Down,
            "slow" => Self::Slow,
            "lie" => Self::Lie,
            "forge" => Self::Forge,
            _ => return Err(UnknownMode),
        })
    }
}

/// What becomes of a query.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// This message, now.
    Answer(Vec<u8>),
    /// This message, later.
    LateAnswer(Vec<u8>),
    /// An HTTP error: the resolver is down.
    Down,
    /// An HTTP error: this is not a query.
    Malformed,
}

/// See the module's documentation.
pub(crate) struct Resolver {
    zone: Zone,
    /// A root for the same domain by a key that is not the tree's.
    forged_root: String,
    /// A record that is valid, but not the one asked for.
    forged_leaf: String,
    mode: Mutex<ResolverMode>,
    events: Events,
}

impl Resolver {
    /// A resolver of a tree of `enrs`, signed by `key`. When it lies it tells of `forged`, signed by `forger`.
    pub(crate) fn new(
        key: &Key,
        enrs: &[String],
        forger: &Key,
        forged: String,
        events: Events,
    ) -> Result<Self, UrlError> {
        let forged_zone = build_zone(
            &forger.signing,
            DOMAIN,
            SEQ,
            std::slice::from_ref(&forged),
            &[],
        )?;
        Ok(Self {
            zone: build_zone(&key.signing, DOMAIN, SEQ, enrs, &[])?,
            forged_root: forged_zone.lookup(DOMAIN).unwrap_or_default().concat(),
            forged_leaf: forged,
            mode: Mutex::default(),
            events,
        })
    }

    /// The `enrtree` URL of the tree.
    pub(crate) fn url(&self) -> String {
        self.zone.url.to_string()
    }

    pub(crate) fn mode(&self) -> ResolverMode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_mode(&self, mode: ResolverMode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        self.events.emit(
            FleetEvent::new("resolver", EventKind::Fault)
                .detail(format!("{mode:?}").to_lowercase()),
        );
    }

    /// Answers a DNS message.
    pub(crate) fn resolve(&self, query: &[u8]) -> Resolution {
        let Ok(question) = dns::decode_query(query) else {
            return Resolution::Malformed;
        };
        let mode = self.mode();
        let event = FleetEvent::new("resolver", EventKind::Request).detail(question.name.clone());
        self.events.emit(event);
        if mode == ResolverMode::Down {
            return Resolution::Down;
        }
        match self.answer(&question, mode) {
            Some(message) if mode == ResolverMode::Slow => Resolution::LateAnswer(message),
            Some(message) => Resolution::Answer(message),
            None => Resolution::Malformed,
        }
    }

    fn answer(&self, question: &Question, mode: ResolverMode) -> Option<Vec<u8>> {
        let texts = self.zone.lookup(&question.name);
        let rcode = if texts.is_some() {
            RCODE_NO_ERROR
        } else {
            RCODE_NXDOMAIN
        };
        // A name without records of the wanted type exists all the same.
        let texts = texts
            .filter(|_| question.qtype == TYPE_TXT)
            .unwrap_or_default();
        let is_root = question.name.eq_ignore_ascii_case(DOMAIN);
        let forged = match (mode, is_root) {
            (ResolverMode::Lie, true) => Some(&self.forged_root),
            (ResolverMode::Lie | ResolverMode::Forge, false) => Some(&self.forged_leaf),
            _ => None,
        };
        let texts = match forged {
            Some(forged) if !texts.is_empty() => std::slice::from_ref(forged),
            _ => texts,
        };
        dns::encode_response(question, rcode, texts, TTL_S).ok()
    }
}
