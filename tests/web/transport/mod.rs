//! The browser transport against servers that behave and servers that do not.

mod addresses;
mod bytes;
mod ends;
mod multiplexer;
mod pressure;

use std::{io, pin::Pin, task::Poll};

use futures::{AsyncRead as _, AsyncWrite as _, future::poll_fn};
use lightkeeper::transport::{Closed, Connection, Fault, HIGH_WATER, MAX_MESSAGE};

/// What a write past the high-water mark may leave in hand.
const MOST_IN_HAND: u32 = HIGH_WATER + MAX_MESSAGE as u32;

/// The inner error of an end.
fn closed(error: &io::Error) -> Closed {
    *error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not a close: {error:?}"))
}

fn fault(error: &io::Error) -> Fault {
    *error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not a fault: {error:?}"))
}

/// Writes until the connection takes no more at once; how much it took.
async fn fill(connection: &mut Connection) -> usize {
    let block = vec![7; MAX_MESSAGE];
    let mut taken = 0;
    poll_fn(|cx| {
        while let Poll::Ready(result) = Pin::new(&mut *connection).poll_write(cx, &block) {
            taken += result.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    taken
}

async fn read_is_pending(connection: &mut Connection) -> bool {
    poll_fn(|cx| {
        Poll::Ready(
            Pin::new(&mut *connection)
                .poll_read(cx, &mut [0; 16])
                .is_pending(),
        )
    })
    .await
}
