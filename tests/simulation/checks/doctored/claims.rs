//! What protocols claim: quotas, locks, bursts.
