//! (room metadata)
