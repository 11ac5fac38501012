//! [`widest`]: plain loops, compiled for each kind of vectors that processors have and run with the widest there are.

use fearless_simd::{Level, Simd, dispatch};

/// Runs `work`, which must be inlined to gain anything.
pub(super) fn widest<T>(work: impl FnOnce() -> T) -> T {
    dispatch!(Level::new(), simd => simd.vectorize(work))
}
