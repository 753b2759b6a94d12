//! Properties of the readers of the Waku request protocols.
