//! DNS messages as DNS over HTTPS carries them (RFC 1035, RFC 8484), for TXT alone.
//!
//! A page has no resolver: it sends these bytes with `fetch`. The local network answers them, so both ends are here.

pub mod json;
mod message;

pub use message::{
    CLASS_IN, DnsAnswer, DnsError, MAX_MESSAGE, Question, RCODE_NO_ERROR, RCODE_NXDOMAIN,
    RCODE_SERVFAIL, TYPE_TXT, decode_query, decode_response, encode_query, encode_response,
    get_param, parse_get_param,
};
