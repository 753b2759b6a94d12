//! Stories about the manager, under virtual time.

mod closing;
mod dialing;
mod hand_off;
mod loss;
mod outage;
mod properties;
mod selection;
mod service;
mod start_up;
mod user;
mod world;
