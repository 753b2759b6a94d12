//! Against yamux itself, over a pipe in memory.

use std::future::poll_fn;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::core::muxing::StreamMuxerExt;

use super::*;
use crate::node::pipe::{Pipe, pipe};

type Remote = yamux::Connection<Pipe>;

fn muxer(io: Pipe) -> Muxer<Pipe> {
    Config::start(io, yamux::Mode::Client)
}

fn remote(io: Pipe) -> Remote {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(4_000);
    yamux::Connection::new(io, config, yamux::Mode::Server)
}

/// Lets a connection of the other side work, for as long as it lasts.
fn work(mut remote: Remote) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move { while let Some(Ok(_)) = next(&mut remote).await {} })
}

async fn next(remote: &mut Remote) -> Option<yamux::Result<yamux::Stream>> {
    poll_fn(|cx| remote.poll_next_inbound(cx)).await
}

/// Why a connection of ours ends.
async fn end_of(muxer: &mut Muxer<Pipe>) -> Error {
    poll_fn(|cx| muxer.poll_unpin(cx)).await.unwrap_err()
}

/// Opens a stream of the other side's, which writes so much if it may.
async fn open(remote: &mut Remote, bytes: usize) {
    let mut stream = poll_fn(|cx| remote.poll_new_outbound(cx)).await.unwrap();
    tokio::spawn(async move {
        let _ = stream.write_all(&vec![7; bytes]).await;
        // Open, until somebody resets it.
        let _ = stream.read(&mut [0]).await;
    });
}

/// Works until nothing comes any more, and gives the streams that have.
async fn taken(muxer: &mut Muxer<Pipe>) -> Vec<Substream> {
    let mut streams = Vec::new();
    let _ = tokio::time::timeout(
        Duration::from_millis(100),
        poll_fn(|cx| {
            assert!(muxer.poll_unpin(cx).is_pending(), "the connection stands");
            while let Poll::Ready(stream) = muxer.poll_inbound_unpin(cx) {
                streams.push(stream.unwrap());
            }
            Poll::<()>::Pending
        }),
    )
    .await;
    streams
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_told_apart_from_a_break() {
    let (ours, theirs) = pipe(1 << 20);
    let (mut ours, mut theirs) = (muxer(ours), remote(theirs));
    poll_fn(|cx| theirs.poll_close(cx)).await.unwrap();
    assert!(matches!(end_of(&mut ours).await, Error::Goodbye(_)));

    let (ours, theirs) = pipe(1 << 20);
    let mut ours = muxer(ours);
    theirs.end();
    assert!(matches!(end_of(&mut ours).await, Error::Yamux(_)));
}

#[tokio::test(start_paused = true)]
async fn a_complaint_is_no_goodbye() {
    let (ours, mut theirs) = pipe(1 << 20);
    let mut ours = muxer(ours);
    theirs
        .write_all(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        .await
        .unwrap();
    assert!(matches!(end_of(&mut ours).await, Error::Yamux(_)));
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_end_is_read_before_it_is_told() {
    let (ours, theirs) = pipe(1 << 20);
    let mut ours = muxer(ours);
    let (side, mut theirs) = (theirs.clone(), remote(theirs));
    // A message, the goodbye and the end are there before we look; we learn of the end by a write that fails.
    let mut stream = poll_fn(|cx| theirs.poll_new_outbound(cx)).await.unwrap();
    stream.write_all(b"last words").await.unwrap();
    poll_fn(|cx| theirs.poll_close(cx)).await.unwrap();
    side.refuse();
    let (mut streams, mut end) = (Vec::new(), None);
    poll_fn(|cx| {
        loop {
            let polled = ours.poll_unpin(cx);
            while let Poll::Ready(stream) = ours.poll_inbound_unpin(cx) {
                streams.push(stream.unwrap());
            }
            if let Poll::Ready(result) = polled {
                end = result.err();
                return Poll::Ready(());
            }
        }
    })
    .await;
    assert!(matches!(end, Some(Error::Goodbye(_))), "{end:?}");
    let mut words = String::new();
    streams[0].read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "last words");
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_though_the_other_side_does_not_read() {
    let (ours, _theirs) = pipe(16);
    let mut ours = muxer(ours);
    let mut stream = poll_fn(|cx| ours.poll_outbound_unpin(cx)).await.unwrap();
    // More than the pipe takes: the goodbye cannot be written.
    stream.write_all(&[7; 1_000]).await.unwrap();
    poll_fn(|cx| {
        let _ = ours.poll_unpin(cx);
        Poll::Ready(())
    })
    .await;
    poll_fn(|cx| ours.poll_close_unpin(cx)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_bounded_over_all_streams() {
    let (ours, theirs) = pipe(64 * 1024);
    let (mut ours, mut theirs) = (muxer(ours), remote(theirs));
    let meter = ours.meter.clone();
    // As much as yamux lets a peer have on its way without an answer: 256 full windows, 64 MiB.
    for _ in 0..256 {
        open(&mut theirs, WINDOW).await;
    }
    let theirs = work(theirs);
    let streams = taken(&mut ours).await;
    assert!(meter.unread() >= UNREAD_LIMIT, "{}", meter.unread());
    // No more than one read past it: a frame of yamux's own is 16 KiB.
    assert!(
        meter.unread() < UNREAD_LIMIT + 64 * 1024,
        "{}",
        meter.unread()
    );
    // Dropping what is stuck makes room again, and so does reading.
    drop(streams);
    assert_eq!(meter.unread(), 0);
    let mut more = taken(&mut ours).await;
    assert!(meter.unread() >= UNREAD_LIMIT, "{}", meter.unread());
    let mut buffer = vec![0; WINDOW];
    for stream in &mut more {
        while let Some(read) = stream.read(&mut buffer).now_or_never() {
            assert!(read.unwrap() > 0, "the stream stands");
        }
    }
    assert_eq!(meter.unread(), 0);
    let _more = taken(&mut ours).await;
    assert!(meter.unread() >= UNREAD_LIMIT, "{}", meter.unread());
    theirs.abort();
}

#[tokio::test(start_paused = true)]
async fn a_burst_beyond_the_bound_resets_the_last_ones_only() {
    let (ours, theirs) = pipe(1 << 20);
    let (mut ours, mut theirs) = (muxer(ours), remote(theirs));
    let meter = ours.meter.clone();
    let mut open = Vec::new();
    let mut held = Vec::new();
    // yamux allows 256 opens that are not acknowledged.
    while open.len() < MAX_INBOUND + 200 {
        for _ in 0..100 {
            let mut stream = poll_fn(|cx| theirs.poll_new_outbound(cx)).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            open.push(stream);
        }
        let both = async {
            let mut streams = taken(&mut ours).await;
            for stream in &mut streams {
                stream.write_all(b"ack").await.unwrap();
            }
            held.extend(streams);
            taken(&mut ours).await
        };
        tokio::select! {
            more = both => held.extend(more),
            _ = next(&mut theirs) => panic!("the connection stands"),
        }
    }
    assert_eq!(held.len(), MAX_INBOUND);
    assert_eq!(meter.inbound(), MAX_INBOUND);
}
