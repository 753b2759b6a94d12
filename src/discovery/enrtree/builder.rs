//! Publishes a tree: for the local network and for tests.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::SigningKey;

use super::{EnrTreeUrl, Entry, EntryHash, ROOT_PREFIX, UrlError, subdomain};
use crate::discovery::keccak256;

/// The most children of a branch: with 26 letters and a comma for each the text stays below 370 bytes, so an answer fits
/// one packet (EIP-1459).
pub const MAX_CHILDREN: usize = 13;

/// The TXT records of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Name to TXT records, each as one joined text.
    pub records: BTreeMap<String, Vec<String>>,
    /// The URL under which the tree is found.
    pub url: EnrTreeUrl,
}

impl Zone {
    /// The records of a name, compared without regard to case as DNS does.
    pub fn lookup(&self, name: &str) -> Option<&[String]> {
        let name = name.strip_suffix('.').unwrap_or(name);
        self.records
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, texts)| texts.as_slice())
    }
}

/// Builds and signs a tree of records (`enr:…`) and links (`enrtree://…`). The texts are published as they are.
///
/// The nonce of the signature follows RFC 6979, so equal input gives an equal zone.
pub fn build_zone(
    key: &SigningKey,
    domain: &str,
    seq: u64,
    enrs: &[String],
    links: &[String],
) -> Result<Zone, UrlError> {
    let url = EnrTreeUrl::new(*key.verifying_key(), domain)?;
    let mut records = BTreeMap::new();
    let e = publish(&mut records, url.domain(), enrs);
    let l = publish(&mut records, url.domain(), links);
    let signed = format!("{ROOT_PREFIX} e={e} l={l} seq={seq}");
    let (signature, recovery) = key.sign_prehash_recoverable(&keccak256(signed.as_bytes()));
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(recovery.to_byte());
    let sig = BASE64URL_NOPAD.encode(&bytes);
    records.insert(url.domain().to_owned(), vec![format!("{signed} sig={sig}")]);
    Ok(Zone { records, url })
}

/// Publishes the leaves and the branches above them; gives the top of the subtree, which is the leaf itself when there
/// is one alone.
fn publish(
    records: &mut BTreeMap<String, Vec<String>>,
    domain: &str,
    leaves: &[String],
) -> EntryHash {
    let mut put = |text: String| {
        let hash = subdomain(&text);
        records.insert(format!("{hash}.{domain}"), vec![text]);
        hash
    };
    let mut level: Vec<_> = leaves.iter().map(|leaf| put(leaf.clone())).collect();
    loop {
        match level.len() {
            0 => return put(Entry::Branch(Vec::new()).to_string()),
            1 => return level.swap_remove(0),
            _ => {
                level = level
                    .chunks(MAX_CHILDREN)
                    .map(|children| put(Entry::Branch(children.to_vec()).to_string()))
                    .collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::SigningKey;

    use super::{build_zone, publish};
    use crate::discovery::enrtree::{Entry, EntryHash, Root};

    fn key() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).expect("a valid scalar")
    }

    #[test]
    fn a_built_root_verifies_and_its_entries_stand_under_their_hashes() {
        let enrs: Vec<String> = (0..30).map(|n| format!("enr:{n}")).collect();
        let zone = build_zone(&key(), "tree.test", 9, &enrs, &[]).unwrap();
        let root = Root::parse(&zone.records["tree.test"][0]).unwrap();
        assert_eq!(root.verify(zone.url.verifying_key()), Ok(()));
        assert_eq!(root.seq(), 9);
        for (name, texts) in &zone.records {
            if name != "tree.test" {
                let hash = EntryHash::parse(name.strip_suffix(".tree.test").unwrap()).unwrap();
                assert!(hash.matches(&texts[0]), "{name}");
            }
        }
        // 30 leaves in branches of 13 are 3 branches, and one above them; an empty branch for links; the root.
        assert_eq!(zone.records.len(), 30 + 3 + 1 + 1 + 1);
    }

    #[test]
    fn a_single_leaf_is_the_top_of_its_subtree() {
        let mut records = Default::default();
        let top = publish(&mut records, "n", &["enr:x".to_owned()]);
        assert!(top.matches("enr:x"));
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn an_empty_subtree_is_the_well_known_empty_branch() {
        let mut records = Default::default();
        let top = publish(&mut records, "n", &[]);
        assert_eq!(top.as_str(), "FDXN3SN67NA5DKA4J2GOK7BVQI");
        assert_eq!(
            Entry::parse(&records["FDXN3SN67NA5DKA4J2GOK7BVQI.n"][0]),
            Ok(Entry::Branch(vec![]))
        );
    }
}
