//! [`Growth`]: what looking at a dataset again found.

use std::ops::Range;

/// The shape a dataset had, and the one it has now.
///
/// ```no_run
/// let file = hyperslab::OpenOptions::new().swmr(true).open("live.h5")?;
/// let data = file.dataset("frames")?;
/// let growth = data.refresh()?;
/// if growth.is_growth() {
///     println!("rows {:?} are new", growth.rows());
/// }
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    before: Vec<u64>,
    after: Vec<u64>,
    axis: usize,
}

impl Growth {
    /// From one shape to another, of a dataset whose rows are counted along `axis`.
    pub(crate) fn new(before: &[u64], after: &[u64], axis: usize) -> Self {
        Self { before: before.to_vec(), after: after.to_vec(), axis }
    }

    /// The shape that this handle saw until now.
    #[must_use]
    pub fn before(&self) -> &[u64] {
        &self.before
    }

    /// The shape that it sees from now on.
    #[must_use]
    pub fn after(&self) -> &[u64] {
        &self.after
    }

    /// The axis along which the dataset grows: its first unlimited one, or else the first.
    #[must_use]
    pub fn axis(&self) -> usize {
        self.axis
    }

    /// Whether the shape is another now.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// Whether some axis is longer now, and none is shorter.
    #[must_use]
    pub fn is_growth(&self) -> bool {
        self.is_change() && !self.is_shrinking()
    }

    /// Whether some axis is shorter now: what was beyond its end is gone.
    #[must_use]
    pub fn is_shrinking(&self) -> bool {
        self.before.len() != self.after.len()
            || self.before.iter().zip(&self.after).any(|(old, new)| new < old)
    }

    /// The rows that are new, along [`axis`](Self::axis); empty when there are no more than before.
    #[must_use]
    pub fn rows(&self) -> Range<u64> {
        let length = |dims: &[u64]| dims.get(self.axis).copied().unwrap_or(0);
        let (before, after) = (length(&self.before), length(&self.after));
        before.min(after)..after
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;

    #[test]
    fn rows_are_new_or_gone() {
        let grown = Growth::new(&[3, 2], &[5, 2], 0);
        assert!(grown.is_growth() && !grown.is_shrinking());
        assert_eq!(grown.rows(), 3..5);
        let shrunk = Growth::new(&[5, 2], &[3, 2], 0);
        assert!(shrunk.is_change() && shrunk.is_shrinking() && !shrunk.is_growth());
        assert!(shrunk.rows().is_empty());
        assert!(!Growth::new(&[5, 2], &[5, 2], 0).is_change());
        assert_eq!(Growth::new(&[1, 2], &[1, 4], 1).rows(), 2..4);
    }
}
