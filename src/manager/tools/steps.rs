//! What an input costs, counted and not timed (R2): records looked at, groups compared, places changed. Only where debug
//! assertions are on; elsewhere all of this is nothing.

#[cfg(debug_assertions)]
use core::cell::Cell;

#[cfg(debug_assertions)]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
    static MOVED: Cell<u64> = const { Cell::new(0) };
}

/// A record is looked at, or a place in an ordered set.
#[inline(always)]
pub(in crate::manager) fn step() {
    #[cfg(debug_assertions)]
    STEPS.set(STEPS.get() + 1);
}

/// A candidate is placed anew.
#[inline(always)]
pub(in crate::manager) fn moved() {
    #[cfg(debug_assertions)]
    MOVED.set(MOVED.get() + 1);
}

#[cfg(debug_assertions)]
impl crate::manager::Manager {
    /// Steps of this thread's managers since the last call, and candidates that were placed anew. For tests.
    #[doc(hidden)]
    pub fn take_steps() -> (u64, u64) {
        (STEPS.take(), MOVED.take())
    }
}
