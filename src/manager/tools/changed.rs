//! Whether something changed since somebody looked.
//!
//! Each owner of state that decisions on connections depend on has one, and marks it where it changes: nobody else has to
//! remember.

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Changed(bool);

impl Changed {
    pub(in crate::manager) fn mark(&mut self) {
        self.0 = true;
    }

    pub(in crate::manager) fn is_set(&self) -> bool {
        self.0
    }

    /// Whether it was marked since the last call.
    pub(in crate::manager) fn take(&mut self) -> bool {
        core::mem::take(&mut self.0)
    }
}
