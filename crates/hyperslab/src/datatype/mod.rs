//! (room datatype)
