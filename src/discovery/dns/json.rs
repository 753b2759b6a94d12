//! The JSON form that some public resolvers offer beside RFC 8484. The shell parses the JSON; this reads what is in it.

use super::{DnsAnswer, TYPE_TXT};

/// One element of `Answer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRecord<'a> {
    /// `type`.
    pub kind: u16,
    /// `TTL`, in seconds.
    pub ttl_s: u32,
    /// `data`, in one of the spellings that [`txt_from_data`] reads.
    pub data: &'a str,
}

/// The answer that a body carries: its `Status`, and its `Answer`, which is absent when there is none.
pub fn answer<'a>(status: u8, records: impl IntoIterator<Item = JsonRecord<'a>>) -> DnsAnswer {
    let (mut txt, mut ttl_s) = (Vec::new(), None);
    for record in records {
        if record.kind == TYPE_TXT {
            txt.push(txt_from_data(record.data));
            ttl_s = Some(ttl_s.map_or(record.ttl_s, |least: u32| least.min(record.ttl_s)));
        }
    }
    DnsAnswer {
        rcode: status,
        txt,
        ttl_s: ttl_s.unwrap_or(0),
    }
}

/// The text of a TXT record: its [strings](character_strings) joined with nothing between them.
pub fn txt_from_data(data: &str) -> String {
    character_strings(data).concat()
}

/// The strings of a TXT record in `data`.
///
/// Resolvers spell it in several ways: quoted strings with or without a space between them, escaped as in RFC 1035, or
/// the bare text.
pub fn character_strings(data: &str) -> Vec<String> {
    let trimmed = data.trim_start();
    if !trimmed.starts_with('"') {
        return vec![data.to_owned()];
    }
    let (mut strings, mut open) = (Vec::new(), None::<Vec<u8>>);
    let mut bytes = trimmed.bytes();
    while let Some(byte) = bytes.next() {
        match (&mut open, byte) {
            (None, b'"') => open = Some(Vec::new()),
            (None, _) => {}
            (Some(_), b'"') => strings.extend(open.take()),
            (Some(string), b'\\') => string.extend(unescape(&mut bytes)),
            (Some(string), byte) => string.push(byte),
        }
    }
    // A quote that is never closed ends with the data.
    strings.extend(open);
    strings
        .into_iter()
        .map(|string| String::from_utf8_lossy(&string).into_owned())
        .collect()
}

/// What follows a backslash: three decimal digits, or the byte itself.
fn unescape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let mut digits = bytes.clone();
    let code = [digits.next(), digits.next(), digits.next()]
        .into_iter()
        .try_fold(0_u32, |code, digit| {
            let digit = char::from(digit?).to_digit(10)?;
            Some(code * 10 + digit)
        })
        .and_then(|code| u8::try_from(code).ok());
    match code {
        Some(code) => {
            *bytes = digits;
            Some(code)
        }
        None => bytes.next(),
    }
}
