//! A peer that follows a script: first that it does what the script says, then what a node makes of it. Each story is
//! named after the finding of the review that it shows.

mod peer;
mod roles;
