//! A large array in pieces that fit in memory, in row-major order.

use hyperslab::Selection;
use std::ops::Range;

/// Boxes that cover an array one after the other, each of a bounded number of elements.
pub(crate) struct Slabs {
    shape: Vec<u64>,
    /// The axis that is cut, and the length of a cut.
    axis: usize,
    step: u64,
    /// Where the next box begins; `None` behind the last.
    next: Option<Vec<u64>>,
}

impl Slabs {
    /// Boxes of at most `most` elements; where there are chunks, boxes end where chunks do if they can.
    pub(crate) fn new(shape: &[u64], chunk: Option<&[u64]>, most: u64) -> Self {
        let mut inner = 1_u64;
        let mut axis = 0;
        for (at, length) in shape.iter().enumerate().rev() {
            axis = at;
            let larger = inner.saturating_mul(*length);
            if larger > most {
                break;
            }
            inner = if at == 0 { inner } else { larger };
        }
        let mut step = (most / inner.max(1)).max(1);
        if let Some(rows) =
            chunk.and_then(|chunk| chunk.get(axis)).copied().filter(|rows| *rows > 0 && *rows < step)
        {
            step -= step % rows;
        }
        let empty = shape.contains(&0);
        Self { shape: shape.to_vec(), axis, step, next: (!empty).then(|| vec![0; shape.len()]) }
    }

    fn advance(&self, mut at: Vec<u64>) -> Option<Vec<u64>> {
        for axis in (0..=self.axis).rev() {
            let step = if axis == self.axis { self.step } else { 1 };
            let (place, length) = (at.get_mut(axis)?, self.shape.get(axis)?);
            *place = place.saturating_add(step);
            if *place < *length {
                return Some(at);
            }
            *place = 0;
        }
        None
    }
}

impl Iterator for Slabs {
    type Item = Vec<Range<u64>>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next.take()?;
        let of = |(axis, (start, length)): (usize, (&u64, &u64))| match axis {
            axis if axis < self.axis => *start..start + 1,
            axis if axis == self.axis => *start..start.saturating_add(self.step).min(*length),
            _ => 0..*length,
        };
        let found = at.iter().zip(&self.shape).enumerate().map(of).collect();
        self.next = self.advance(at);
        Some(found)
    }
}

/// The selection of a box; of everything when there are no axes.
pub(crate) fn selection(ranges: &[Range<u64>]) -> hyperslab::Result<Selection> {
    if ranges.is_empty() { Ok(Selection::All) } else { Selection::from_ranges(ranges) }
}

#[cfg(test)]
mod tests {
    use super::Slabs;

    fn counts(shape: &[u64], chunk: Option<&[u64]>, most: u64) -> Vec<u64> {
        Slabs::new(shape, chunk, most)
            .map(|slab| slab.iter().map(|range| range.end - range.start).product())
            .collect()
    }

    #[test]
    fn slabs_cover_everything_once() {
        assert_eq!(counts(&[], None, 10), [1]);
        assert_eq!(counts(&[7], None, 3), [3, 3, 1]);
        assert_eq!(counts(&[3, 4], None, 100), [12]);
        assert_eq!(counts(&[3, 4], None, 8), [8, 4]);
        assert_eq!(counts(&[2, 3, 4], None, 5), [4, 4, 4, 4, 4, 4]);
        assert_eq!(counts(&[2, 5], None, 2), [2, 2, 1, 2, 2, 1]);
        assert_eq!(counts(&[0, 5], None, 2), [0_u64; 0]);
    }

    #[test]
    fn slabs_end_where_chunks_do() {
        assert_eq!(counts(&[10, 2], Some(&[3, 2]), 8), [6, 6, 6, 2]);
    }
}
