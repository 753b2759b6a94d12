//! One timer, for a moment that may change.

use std::task::Context;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::node::platform;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Alarm(Option<(u64, BoxFuture<'static, ()>)>);

impl Alarm {
    /// Whether it rings. It is set for `due`, by the monotonic clock, or to ring after `at_most_ms` if that is sooner, and
    /// left alone as long as that is the same moment; with none it is off. It may ring early: whoever asks looks at the
    /// clock, and the next call sets it again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Option<u64>, at_most_ms: u64) -> bool {
        match (due, &self.0) {
            (None, _) => self.0 = None,
            (Some(due), Some((set_for, _))) if due == *set_for => {}
            (Some(due), _) => {
                let wait = due.saturating_sub(platform::mono_ms()).min(at_most_ms);
                self.0 = Some((due, platform::sleep(Duration::from_millis(wait))));
            }
        }
        let Some((_, timer)) = &mut self.0 else {
            return false;
        };
        let rings = timer.as_mut().poll(cx).is_ready();
        if rings {
            self.0 = None;
        }
        rings
    }
}
