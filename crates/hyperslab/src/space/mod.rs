//! (room space)
