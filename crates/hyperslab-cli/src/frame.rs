//! The newest frame of a dataset that grows: its numbers, and what they come to.

use crate::output::Outcome;
use crate::show::numbers;
use crate::slice::{Axis, Slice};
use hyperslab::Dataset;

/// Numbers of one frame at most; of a larger one every second, every fourth... along an axis.
const MOST: u64 = 4 << 20;

/// Numbers in rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) values: Vec<f64>,
    pub(crate) height: u64,
    pub(crate) width: u64,
}

/// The least, the greatest and the mean of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stat {
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl Frame {
    /// What is last along `axis` of a dataset of that shape; nothing when there are no numbers.
    ///
    /// Of a dataset whose frames are no pictures it is the last `rows` of them, one below the other.
    pub(crate) fn newest(dataset: &Dataset, shape: &[u64], axis: usize, rows: u64) -> Outcome<Option<Self>> {
        let Some(slice) = newest(shape, axis, rows) else { return Ok(None) };
        let values = numbers(dataset, &slice)?;
        let lengths = slice.shape();
        let width = lengths.last().copied().unwrap_or(1);
        let height = slice.count() / width.max(1);
        Ok(values.iter().any(|value| value.is_finite()).then_some(Self { values, height, width }))
    }

    pub(crate) fn stat(&self) -> Option<Stat> {
        let (mut min, mut max, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for value in self.values.iter().filter(|value| value.is_finite()) {
            (min, max) = (min.min(*value), max.max(*value));
            sum += value;
            count += 1.0;
        }
        (count > 0.0).then_some(Stat { min, max, mean: sum / count })
    }
}

/// The part of a dataset that is its newest frame, with no more than [`MOST`] elements.
fn newest(shape: &[u64], axis: usize, rows: u64) -> Option<Slice> {
    let mut slice = Slice::all(shape);
    let few = shape.len() <= 2;
    let place = slice.axes.get_mut(axis)?;
    let count = if few { rows.min(place.count) } else { 1.min(place.count) };
    *place = Axis { start: place.count - count, step: 1, count, kept: few };
    while slice.count() > MOST {
        let longest = slice.axes.iter_mut().max_by_key(|axis| axis.count)?;
        longest.count = longest.count.div_ceil(2);
        longest.step = longest.step.saturating_mul(2);
    }
    (slice.count() > 0).then_some(slice)
}

#[cfg(test)]
mod tests {
    use super::{Frame, MOST, Stat, newest};

    fn axes(shape: &[u64], axis: usize, rows: u64) -> Vec<(u64, u64, u64)> {
        let slice = newest(shape, axis, rows).unwrap();
        slice.axes.iter().map(|axis| (axis.start, axis.step, axis.count)).collect()
    }

    #[test]
    fn the_newest_frame_is_the_last_along_the_axis_that_grows() {
        assert_eq!(axes(&[7, 3, 4], 0, 20), [(6, 1, 1), (0, 1, 3), (0, 1, 4)]);
        assert_eq!(axes(&[3, 4, 7], 2, 20), [(0, 1, 3), (0, 1, 4), (6, 1, 1)]);
        assert_eq!(axes(&[7, 5], 0, 3), [(4, 1, 3), (0, 1, 5)]);
        assert_eq!(axes(&[7], 0, 20), [(0, 1, 7)]);
        assert!(newest(&[0, 5], 0, 3).is_none() && newest(&[], 0, 3).is_none());
    }

    #[test]
    fn a_large_frame_is_thinned_out() {
        let slice = newest(&[2, 8192, 4096], 0, 1).unwrap();
        assert!(slice.count() <= MOST && slice.axes[1].step > 1, "{slice:?}");
    }

    #[test]
    fn what_is_no_number_does_not_count() {
        let frame = Frame { values: vec![1.0, f64::NAN, 4.0], height: 1, width: 3 };
        assert_eq!(frame.stat(), Some(Stat { min: 1.0, max: 4.0, mean: 2.5 }));
        assert_eq!(Frame { values: vec![f64::NAN], height: 1, width: 1 }.stat(), None);
    }
}
