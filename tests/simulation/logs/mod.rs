//! The recorded runs that every build must repeat alike (D1): `*.bin` are logs of inputs, `digests.txt` names for each
//! the SHA-256 of the orders that it leads to.
//!
//! `tests/manager/corpus.rs` tells how they are made, and writes them anew when the manager has changed on purpose:
//!
//! ```text
//! LIGHTKEEPER_BLESS=1 cargo test --no-default-features --test manager corpus
//! ```

macro_rules! logs {
    ($($name:literal)+) => {
        /// Names and bytes.
        pub(crate) const LOGS: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!($name, ".bin")))),+];
    };
}

logs! { "start" "outage" "user" "storm" }

/// One line for each log: its name and the digest, in the order of [`LOGS`].
pub(crate) const DIGESTS: &str = include_str!("digests.txt");

/// A digest as it is written there.
pub(crate) fn hex(digest: [u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).expect("a nibble"));
        }
    }
    text
}
