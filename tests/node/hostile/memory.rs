//! What announcements make us allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use lightkeeper::fleet::hostile::{Answer, Mischief, Part};
use lightkeeper::node::StoreQuery;
use lightkeeper::protocols::filter::push::MAX_FRAME;
use lightkeeper::protocols::store::MAX_RESPONSE;

use super::stage::{Stage, serving};
use crate::client::soon;
use crate::driver::world::{PATIENCE, TOPIC};

/// Allocations as large as the frame that [`Mischief::Stall`] announces. Nothing else in these tests is of that size.
static PUSH_FRAMES: AtomicUsize = AtomicUsize::new(0);

/// Allocations as large as the largest page, or half of it. Nothing in these tests is as large.
static PAGES: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts what is of those sizes.
struct Counting;

fn count(size: usize) {
    if (MAX_FRAME - 1..MAX_FRAME + 8).contains(&size) {
        PUSH_FRAMES.fetch_add(1, Ordering::Relaxed);
    }
    if size >= MAX_RESPONSE / 2 {
        PAGES.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is the system allocator's; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(start, layout, size) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_frame_takes_no_memory_before_it_comes() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::Stall(40))).await;
    // Heard behind them: by then the announcements were read.
    stage.hear(subscribed.id, "meanwhile").await;
    assert_eq!(PUSH_FRAMES.load(Ordering::Relaxed), 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_no_memory_before_it_comes() {
    let announced = Answer::Announced(MAX_RESPONSE);
    let stage = Stage::new(vec![serving().on(Part::Store, announced)]).await;
    let query = StoreQuery {
        content_topics: vec![TOPIC.into()],
        ..StoreQuery::default()
    };
    let node = stage.world.node.clone();
    let querying = tokio::spawn(async move { node.query(query, PATIENCE).await });
    soon(stage.hostile[0].until_asked(Part::Store, 1)).await;
    // The announcement is behind the answers to these.
    let subscribed = stage.subscribe().await;
    stage.hear(subscribed.id, "meanwhile").await;
    assert_eq!(PAGES.load(Ordering::Relaxed), 0);
    querying.abort();
    stage.close().await;
}
