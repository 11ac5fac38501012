//! One writer, many readers: what happens in which order, and how long to wait for it.

pub(crate) mod growth;
pub(crate) mod retry;
pub(crate) mod wait;
