//! Holding tasks still, as a process is held by SIGSTOP: sockets stay open, and nothing of the peer runs.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use libp2p::swarm::Executor;

use crate::fleet::node::Tasks;

/// Whether everything stands still, and who waits for that to end.
#[derive(Debug, Clone, Default)]
pub(super) struct Freezer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    frozen: bool,
    waiting: Vec<Waker>,
}

impl Freezer {
    pub(super) fn set(&self, frozen: bool) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.frozen = frozen;
            match frozen {
                true => Vec::new(),
                false => std::mem::take(&mut state.waiting),
            }
        };
        for waker in waiting {
            waker.wake();
        }
    }

    fn holds(&self, cx: &Context<'_>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.frozen {
            // Woken for other reasons meanwhile, a task comes here again.
            if !state
                .waiting
                .iter()
                .any(|waker| waker.will_wake(cx.waker()))
            {
                state.waiting.push(cx.waker().clone());
            }
        }
        state.frozen
    }

    /// The same future, which stands still with everything else.
    pub(super) async fn hold<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| match self.holds(cx) {
            true => Poll::Pending,
            false => future.as_mut().poll(cx),
        })
        .await
    }
}

/// The tasks of one peer, all of which can be held.
#[derive(Clone)]
pub(super) struct HeldTasks {
    pub(super) tasks: Tasks,
    freezer: Freezer,
}

impl HeldTasks {
    pub(super) fn new(freezer: Freezer) -> Self {
        Self {
            tasks: Tasks::default(),
            freezer,
        }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let freezer = self.freezer.clone();
        self.tasks.spawn(async move { freezer.hold(task).await });
    }
}

impl Executor for HeldTasks {
    fn exec(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.spawn(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_frozen_goes_on_when_it_is_thawed() {
        let freezer = Freezer::default();
        freezer.set(true);
        let held = freezer.clone();
        let task = tokio::spawn(async move { held.hold(async { 7 }).await });
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        freezer.set(false);
        assert_eq!(task.await.unwrap(), 7);
    }
}
