//! Record trees.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE32_NOPAD;
use k256::ecdsa::{SigningKey, VerifyingKey};
use lightkeeper::discovery::{
    dialable::{Page, dialable},
    enr::Enr,
    enrtree::{EnrTreeUrl, Entry, EntryHash, Root, subdomain},
    walk::{Answer, Walk, WalkConfig, WalkEvent},
};
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};

use super::{bytes, same, same_reason, text, texts};

/// Whether the vector wants the text to be accepted; its reason if not.
fn wanted(expected: &Value) -> Result<&Value, &Value> {
    if expected["valid"] == json!(true) {
        Ok(expected)
    } else {
        Err(&expected["reason"])
    }
}

pub(super) fn url(input: &Value, expected: &Value) -> Result<(), String> {
    match (text(input)?.parse::<EnrTreeUrl>(), wanted(expected)) {
        (Ok(url), Ok(expected)) => {
            same("domain", url.domain(), text(&expected["domain"])?)?;
            let key = url.public_key().to_vec();
            same("key", key, bytes(&expected["public_key"])?)?;
            let long = url.verifying_key().to_sec1_point(false);
            let want = bytes(&expected["public_key_uncompressed"])?;
            same("uncompressed key", long.as_bytes(), want)?;
            same("text", url.to_string().as_str(), text(input)?)
        }
        (Err(error), Err(reason)) => same_reason(error.reason(), reason),
        (got, _) => Err(format!("got {got:?}")),
    }
}

pub(super) fn root(input: &Value, expected: &Value) -> Result<(), String> {
    let key = BASE32_NOPAD
        .decode(text(&input["public_key_base32"])?.as_bytes())
        .map_err(|error| error.to_string())?;
    let key = VerifyingKey::from_sec1_bytes(&key).map_err(|error| error.to_string())?;
    let read = Root::parse(text(&input["text"])?).and_then(|root| root.verify(&key).map(|()| root));
    match (read, wanted(expected)) {
        (Ok(root), Ok(expected)) => {
            same("e", root.e().as_str(), text(&expected["e"])?)?;
            same("l", root.l().as_str(), text(&expected["l"])?)?;
            same("seq", Some(root.seq()), expected["seq"].as_u64())?;
            same(
                "signature",
                root.signature().to_vec(),
                bytes(&expected["signature"])?,
            )?;
            same(
                "signed",
                root.signed_text(),
                text(&expected["signed_text"])?,
            )?;
            let digest = Keccak256::digest(root.signed_text()).to_vec();
            same("digest", digest, bytes(&expected["signed_keccak256"])?)
        }
        (Err(error), Err(reason)) => same_reason(error.reason(), reason),
        (got, _) => Err(format!("got {got:?}")),
    }
}

pub(super) fn entry(input: &Value, expected: &Value) -> Result<(), String> {
    match (Entry::parse(text(input)?), wanted(expected)) {
        (Ok(entry), Ok(expected)) => {
            same("text", entry.to_string().as_str(), text(input)?)?;
            let kind = match &entry {
                Entry::Branch(children) => {
                    let got: Vec<_> = children.iter().map(ToString::to_string).collect();
                    same("children", got, texts(&expected["children"])?)?;
                    "branch"
                }
                Entry::Enr(enr) => {
                    let peer = enr.peer_id().to_string();
                    same("peer", peer.as_str(), text(&expected["peer_id"])?)?;
                    same("node", enr.node_id().to_vec(), bytes(&expected["node_id"])?)?;
                    "enr"
                }
                Entry::Link(url) => {
                    same("domain", url.domain(), text(&expected["domain"])?)?;
                    let key = url.public_key().to_vec();
                    same("key", key, bytes(&expected["public_key"])?)?;
                    "link"
                }
            };
            same("type", kind, text(&expected["type"])?)
        }
        (Err(error), Err(reason)) => same_reason(error.reason(), reason),
        (got, _) => Err(format!("got {got:?}")),
    }
}

pub(super) fn hash(input: &Value, expected: &Value) -> Result<(), String> {
    let entry = text(input)?;
    let name = text(&expected["subdomain"])?;
    same("name", subdomain(entry).as_str(), name)?;
    let hash = EntryHash::parse(name).ok_or("the name is not a hash")?;
    same("matches", hash.matches(entry), true)?;
    same("matches another", hash.matches(&format!("{entry} ")), false)?;
    let digest = Keccak256::digest(entry).to_vec();
    same("digest", digest, bytes(&expected["keccak256"])?)
}

pub(super) fn keys(input: &Value, expected: &Value) -> Result<(), String> {
    for (domain, want) in expected.as_object().ok_or("not an object")? {
        let key =
            SigningKey::from_slice(&bytes(&input[domain])?).map_err(|error| error.to_string())?;
        let url =
            EnrTreeUrl::new(*key.verifying_key(), domain).map_err(|error| error.to_string())?;
        let want = format!("enrtree://{}@{domain}", text(want)?);
        same("url", url.to_string(), want)?;
    }
    Ok(())
}

/// What one run brought.
#[derive(Default)]
struct Seen {
    enrs: BTreeSet<String>,
    dialable: BTreeSet<String>,
    links: BTreeSet<String>,
    dropped: Vec<(String, String)>,
    /// The configured trees that failed, and why.
    failed: Vec<String>,
    finished: bool,
}

type Zone = BTreeMap<String, Vec<String>>;

/// Name to TXT records, each a list of strings that are joined.
fn zone(value: &Value) -> Result<Zone, String> {
    let names = value.as_object().ok_or("not an object")?;
    names
        .iter()
        .map(|(name, records)| {
            let records = records.as_array().ok_or("not a list")?;
            let records = records.iter().map(|strings| Ok(texts(strings)?.concat()));
            Ok((name.clone(), records.collect::<Result<_, String>>()?))
        })
        .collect()
}

fn walk(urls: Vec<EnrTreeUrl>) -> Walk {
    let config = WalkConfig {
        budget: 1_000,
        ..WalkConfig::default()
    };
    Walk::new(urls, config, [7; 32])
}

/// One run over a zone in which every look-up takes no time.
fn run(walk: &mut Walk, zone: &Zone, mut now: u64) -> Result<Seen, String> {
    let mut seen = Seen::default();
    walk.start(now);
    loop {
        while let Some(query) = walk.poll_query(now) {
            let answer = match zone.get(&query.name) {
                Some(records) => Answer::Txt {
                    records: records.clone(),
                    ttl_s: 60,
                },
                None => Answer::NoSuchName,
            };
            walk.handle_answer(now, query.id, answer);
        }
        while let Some(event) = walk.poll_event() {
            match event {
                WalkEvent::Candidate { enr, .. } => {
                    let page = Page {
                        secure: true,
                        private_allowed: false,
                    };
                    let addresses = enr.multiaddrs().into_iter();
                    let addresses = addresses.filter(|address| dialable(address, page));
                    seen.dialable
                        .extend(addresses.map(|address| address.to_string()));
                    seen.enrs.insert(enr.to_text());
                }
                WalkEvent::Link { url, .. } => {
                    seen.links.insert(url.to_string());
                }
                WalkEvent::EntryDropped { name, reason, .. } => {
                    seen.dropped.push((name, reason.reason().to_owned()));
                }
                WalkEvent::TreeFailed {
                    linked: false,
                    reason,
                    ..
                } => seen.failed.push(reason.reason().to_owned()),
                WalkEvent::TreeFailed { .. } | WalkEvent::ResolverSuspect { .. } => {}
                WalkEvent::Finished { .. } => seen.finished = true,
            }
        }
        if seen.finished {
            return Ok(seen);
        }
        now = walk.next_deadline().ok_or("the run does not end")?.max(now);
    }
}

fn first_seq(walk: &Walk) -> Option<u64> {
    walk.sequences().next().map(|(_, seq)| seq)
}

fn set_of(value: &Value) -> Result<BTreeSet<String>, String> {
    Ok(texts(value)?.into_iter().collect())
}

fn parse_url(url: &str) -> Result<EnrTreeUrl, String> {
    url.parse().map_err(|error| format!("{url}: {error}"))
}

pub(super) fn set(input: &Value, expected: &Value) -> Result<(), String> {
    let urls = texts(&input["urls"])?;
    let urls = urls
        .iter()
        .map(|url| parse_url(url))
        .collect::<Result<_, _>>()?;
    let mut walk = walk(urls);
    let seen = run(&mut walk, &zone(&input["zone"])?, 1_000)?;
    for (name, want) in expected.as_object().ok_or("not an object")? {
        match name.as_str() {
            "ok" => same("ok", Some(seen.failed.is_empty()), want.as_bool())?,
            "reason" => same_reason(seen.failed.first().map_or("", String::as_str), want)?,
            "seq" => same("seq", first_seq(&walk), want.as_u64())?,
            "enrs" => same("records", &seen.enrs, &set_of(want)?)?,
            "links" => same("links", &seen.links, &set_of(want)?)?,
            "browser_dialable" => same("dialable", &seen.dialable, &set_of(want)?)?,
            "domains_synced" => {
                let read = walk.sequences().map(|(url, _)| url.domain().to_owned());
                same("domains", read.collect::<BTreeSet<_>>(), set_of(want)?)?;
            }
            "entry_errors" => {
                let want = want.as_array().ok_or("not a list")?;
                let want = want.iter().map(|error| {
                    let name = text(&error["name"])?.to_owned();
                    Ok((name, text(&error["reason"])?.to_owned()))
                });
                let want = want.collect::<Result<Vec<_>, String>>()?;
                same("dropped", &seen.dropped, &want)?;
            }
            // About a client that reads the whole tree or nothing.
            "strict_full_sync_fails" => {}
            other => return Err(format!("unknown expectation {other}")),
        }
    }
    if expected.get("entry_errors").is_none() {
        same("dropped", seen.dropped, Vec::new())?;
    }
    for enr in &seen.enrs {
        Enr::from_text(enr).map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(super) fn sequence(input: &Value, expected: &Value) -> Result<(), String> {
    let mut walk = walk(vec![parse_url(text(&input["url"])?)?]);
    let zones = input["zones"].as_array().ok_or("not a list")?;
    let steps = expected["steps"].as_array().ok_or("not a list")?;
    same("steps", zones.len(), steps.len())?;
    let mut known = BTreeSet::new();
    let mut now = 1_000;
    for (records, step) in zones.iter().zip(steps) {
        let seen = run(&mut walk, &zone(records)?, now)?;
        known.extend(seen.enrs);
        same("ok", Some(seen.failed.is_empty()), step["ok"].as_bool())?;
        let (enrs, seq) = if seen.failed.is_empty() {
            (&step["enrs"], &step["seq"])
        } else {
            same_reason(&seen.failed[0], &step["reason"])?;
            (&step["enrs_kept"], &step["seq_kept"])
        };
        same("records", &known, &set_of(enrs)?)?;
        same("seq", first_seq(&walk), seq.as_u64())?;
        // Past the life of every root.
        now += 60 * 60 * 1_000;
    }
    Ok(())
}
