//! How often something changed, for whoever wants to know whether it did since they looked.
//!
//! Each owner of state that decisions on connections depend on has one, and marks it where it changes: nobody else has to
//! remember.

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Changed(u64);

impl Changed {
    pub(in crate::manager) fn mark(&mut self) {
        self.0 += 1;
    }

    pub(in crate::manager) fn count(&self) -> u64 {
        self.0
    }
}
