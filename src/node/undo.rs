//! What a call leaves behind when its caller gives up.

use super::driver::Driver;
use super::handle::Node;

type Takes = Box<dyn FnOnce(&mut Driver) + Send>;

/// Takes back what a call asked for, unless it came to its end. A node that is closed has nothing to take back.
pub(super) struct Undo(Option<(Node, Takes)>);

impl Undo {
    pub(super) fn new(node: &Node, undo: impl FnOnce(&mut Driver) + Send + 'static) -> Self {
        Self(Some((node.clone(), Box::new(undo))))
    }

    /// The caller has it now, or there is nothing.
    pub(super) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some((node, undo)) = self.0.take() {
            let mut driver = node.lock();
            if !driver.is_closed() {
                undo(&mut driver);
            }
        }
    }
}
