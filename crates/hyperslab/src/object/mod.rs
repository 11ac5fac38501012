//! (room object)
