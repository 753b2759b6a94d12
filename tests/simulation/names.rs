//! Ids as people can read them: by their places in the network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::network::peer_id;
use crate::script::LOCAL;

/// Places that have a name in stories.
const NAMED: usize = 512;

static NAMES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let places = (0..NAMED).chain([LOCAL]);
    places
        .map(|place| (peer_id(place).to_string(), format!("p{place}")))
        .collect()
});

/// A text with every known id replaced by its place, `p7`.
pub(crate) fn named(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        out.push_str(NAMES.get(word.as_str()).map_or(word, String::as_str));
        word.clear();
    };
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
        } else {
            flush(&mut word, &mut out);
            out.push(letter);
        }
    }
    flush(&mut word, &mut out);
    out.replace("PeerId(\"p", "(\"p")
}
