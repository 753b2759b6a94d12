//! JS surface.
