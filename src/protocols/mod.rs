//! Wire formats. See the pages of the protocols.
