//! Stories about the manager, under virtual time.

mod start_up;
mod world;
