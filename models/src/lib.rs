//! The engine with locks that shuttle schedules: the models are in tests/.
