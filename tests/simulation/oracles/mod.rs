//! What is right, worked out slowly and apart from the code that is judged.

pub(crate) mod cover;
pub(crate) mod guards;
