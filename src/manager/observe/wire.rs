//! What is recorded, and what is compared: the lists of names of inputs and of orders. The encoding is
//! [`tools::wire`](crate::manager::tools::wire)'s.

mod inputs;
mod orders;

pub(in crate::manager) use inputs::SHAPE;
