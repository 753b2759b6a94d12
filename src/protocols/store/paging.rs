//! Going on with a query: by the cursor where the server knows it, else by time and hash, so that a history has neither
//! a hole nor a message twice when its server is lost half-way (store.md, section 4).

use core::fmt;
use core::str::FromStr;

use libp2p_identity::PeerId;

use super::page::{Edge, Page};
use super::{Request, StoredMessage};
use crate::protocols::message::MessageHash;

/// Pages without one true entry that are followed in a row: a server that promises more for ever leads nowhere.
const MAX_BARE: u8 = 32;

/// Where a query stands between two pages. Its text is the cursor of the npm API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The cursor that `peer` gave.
    pub cursor: MessageHash,
    /// Who gave it: a cursor is known where its message is stored.
    pub peer: PeerId,
    /// How far the pages before reached; `None` while none of them had a true entry.
    pub edge: Option<Edge>,
    /// Pages without a true entry since.
    pub bare: u8,
}

impl Position {
    /// Where a query stands after `page` of `peer`, which followed `before`; `None`: that was the last page. The flag
    /// tells that the peer only promises more.
    pub fn after(page: &Page, peer: PeerId, before: Option<&Self>) -> (Option<Self>, bool) {
        let Some(cursor) = page.cursor else {
            return (None, false);
        };
        let bare = match page.edge {
            Some(_) => 0,
            None => before.map_or(0, |before| before.bare) + 1,
        };
        if bare > MAX_BARE {
            return (None, true);
        }
        let edge = page.edge.or(before.and_then(|before| before.edge));
        let position = Self {
            cursor,
            peer,
            edge,
            bare,
        };
        (Some(position), false)
    }

    /// The query for the next page, by the cursor.
    pub fn by_cursor(&self, request: &Request) -> Request {
        Request {
            pagination_cursor: Some(self.cursor.0.to_vec()),
            ..request.clone()
        }
    }

    /// The query for what follows, from a server that does not know the cursor. Its answer begins with what was
    /// delivered at the edge's time: [`Self::leave_out`] takes that away.
    pub fn by_time(&self, request: &Request) -> Request {
        let mut request = Request {
            pagination_cursor: None,
            ..request.clone()
        };
        let Some(edge) = self.edge else {
            // Nothing was delivered yet.
            return request;
        };
        // A look-up of hashes has no times: what was delivered is left out.
        if request.message_hashes.is_empty() {
            if request.pagination_forward {
                request.time_start = Some(edge.time);
            } else {
                // Exclusive by the specification.
                request.time_end = Some(edge.time.saturating_add(1));
            }
        }
        request
    }

    /// Leaves out what the pages before had.
    pub fn leave_out(&self, forward: bool, messages: &mut Vec<StoredMessage>) {
        let Some(edge) = self.edge else {
            return;
        };
        messages.retain(|stored| {
            let Some(message) = &stored.message else {
                return true;
            };
            let at = Edge {
                time: message.timestamp(),
                hash: stored.hash,
            };
            if forward { at > edge } else { at < edge }
        });
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}@{}", self.cursor, self.peer, self.bare)?;
        match self.edge {
            Some(edge) => write!(f, "@{}@{}", edge.time, edge.hash),
            None => Ok(()),
        }
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('@');
        let mut next = || parts.next().ok_or(());
        let cursor = next()?.parse().map_err(drop)?;
        let peer = next()?.parse().map_err(drop)?;
        let bare = next()?.parse().map_err(drop)?;
        let edge = match next() {
            Ok(time) => Some(Edge {
                time: time.parse().map_err(drop)?,
                hash: next()?.parse().map_err(drop)?,
            }),
            Err(()) => None,
        };
        Ok(Self {
            cursor,
            peer,
            edge,
            bare,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::message::WakuMessage;

    fn somebody() -> PeerId {
        // The identity multihash of two bytes.
        PeerId::from_bytes(&[0, 2, 1, 1]).unwrap()
    }

    fn stored(time: i64, byte: u8) -> StoredMessage {
        StoredMessage {
            hash: MessageHash([byte; 32]),
            message: Some(WakuMessage::new("/app/1/name/proto", vec![1], time)),
            pubsub_topic: Some("/waku/2/rs/1/3".into()),
        }
    }

    fn page(edge: Option<(i64, u8)>, cursor: Option<u8>) -> Page {
        Page {
            messages: Vec::new(),
            cursor: cursor.map(|byte| MessageHash([byte; 32])),
            edge: edge.map(|(time, byte)| Edge {
                time,
                hash: MessageHash([byte; 32]),
            }),
            fault: None,
        }
    }

    fn at(time: i64, byte: u8) -> Position {
        let page = page(Some((time, byte)), Some(byte));
        Position::after(&page, somebody(), None).0.unwrap()
    }

    #[test]
    fn another_server_goes_on_by_time_without_a_hole_or_a_double() {
        let position = at(10, 5);
        let mut forward = Request {
            pagination_forward: true,
            pagination_cursor: Some(vec![5; 32]),
            time_end: Some(99),
            ..Request::default()
        };
        let asked = position.by_time(&forward);
        assert_eq!(asked.pagination_cursor, None);
        assert_eq!((asked.time_start, asked.time_end), (Some(10), Some(99)));
        let mut messages = vec![stored(10, 4), stored(10, 5), stored(10, 6), stored(11, 1)];
        position.leave_out(true, &mut messages);
        assert_eq!(messages, [stored(10, 6), stored(11, 1)]);

        forward.pagination_forward = false;
        let asked = position.by_time(&forward);
        assert_eq!(asked.time_end, Some(11), "times end before what they name");
        let mut messages = vec![stored(9, 9), stored(10, 4), stored(10, 5), stored(10, 6)];
        position.leave_out(false, &mut messages);
        assert_eq!(messages, [stored(9, 9), stored(10, 4)]);
    }

    #[test]
    fn the_edge_outlives_pages_without_a_true_entry() {
        let before = at(10, 5);
        let (after, _) = Position::after(&page(None, Some(7)), before.peer, Some(&before));
        let after = after.unwrap();
        assert_eq!((after.edge, after.bare), (before.edge, 1));
        assert_eq!(after.cursor, MessageHash([7; 32]));
    }

    #[test]
    fn a_server_that_only_promises_more_is_left() {
        let peer = somebody();
        let mut position = None;
        for turn in 0..=MAX_BARE {
            let (next, empty) = Position::after(&page(None, Some(turn)), peer, position.as_ref());
            assert_eq!(empty, turn == MAX_BARE);
            position = next;
        }
        assert_eq!(position, None);
    }

    #[test]
    fn a_position_survives_being_a_text() {
        let mut position = at(-3, 250);
        assert_eq!(position.to_string().parse(), Ok(position.clone()));
        position.edge = None;
        assert_eq!(position.to_string().parse(), Ok(position.clone()));
        for text in ["", "x", "@@", "a@b@c@d@e"] {
            assert_eq!(text.parse::<Position>(), Err(()), "{text:?}");
        }
    }
}
