//! (room swmr)
