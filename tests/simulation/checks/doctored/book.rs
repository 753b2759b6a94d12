//! The address book: routes, hints, what is forgotten.
