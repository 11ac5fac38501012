//! `0:10:2,3,...,:` as numpy reads it: which part of a dataset a command is about.

use crate::output::{Failure, Outcome};
use hyperslab::{AxisSlab, Selection};

/// One axis of a part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub(crate) start: u64,
    pub(crate) step: u64,
    pub(crate) count: u64,
    /// Whether the axis is there in the result; an index takes it away.
    pub(crate) kept: bool,
}

/// A part of a dataset, axis by axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) axes: Vec<Axis>,
}

impl Slice {
    /// All of a dataset of that shape.
    pub(crate) fn all(shape: &[u64]) -> Self {
        let axes = shape.iter().map(|count| Axis { start: 0, step: 1, count: *count, kept: true }).collect();
        Self { axes }
    }

    /// The part of a dataset of that shape which the text says.
    pub(crate) fn parse(text: &str, shape: &[u64]) -> Outcome<Self> {
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        let items = if text.trim().is_empty() { Vec::new() } else { items };
        let dots = items.iter().position(|item| *item == "...");
        let (before, after) = match dots {
            Some(at) => (items.get(..at).unwrap_or_default(), items.get(at + 1..).unwrap_or_default()),
            None => (items.as_slice(), &[] as &[&str]),
        };
        if before.len() + after.len() > shape.len() {
            let (given, rank) = (before.len() + after.len(), shape.len());
            return Err(Failure::message(format!(
                "slice \"{text}\" has {given} axes, the dataset has {rank}"
            )));
        }
        let mut slice = Self::all(shape);
        let skipped = shape.len() - after.len();
        for (axis, item) in (0..).zip(before).chain((skipped..).zip(after)) {
            if let Some(place) = slice.axes.get_mut(axis) {
                *place = parse_axis(item, place.count)
                    .map_err(|why| Failure::message(format!("slice \"{text}\": axis {axis}: {why}")))?;
            }
        }
        Ok(slice)
    }

    /// How many elements it is on each axis that is left.
    pub(crate) fn shape(&self) -> Vec<u64> {
        self.axes.iter().filter(|axis| axis.kept).map(|axis| axis.count).collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.axes.iter().fold(1, |count, axis| count.saturating_mul(axis.count))
    }

    /// The part of this part which has those indices on the axes that are left.
    pub(crate) fn part(&self, ranges: &[(u64, u64)]) -> Self {
        let mut ranges = ranges.iter();
        let mut part = self.clone();
        for axis in part.axes.iter_mut().filter(|axis| axis.kept) {
            if let Some((start, count)) = ranges.next() {
                axis.start = axis.start.saturating_add(start.saturating_mul(axis.step));
                axis.count = *count;
            }
        }
        part
    }

    pub(crate) fn selection(&self) -> Outcome<Selection> {
        if self.axes.is_empty() {
            return Ok(Selection::All);
        }
        if self.count() == 0 {
            return Ok(Selection::None);
        }
        let slab = |axis: &Axis| AxisSlab {
            start: axis.start,
            stride: axis.step,
            count: Some(axis.count),
            block: Some(1),
        };
        Ok(Selection::from_axes(self.axes.iter().map(slab).collect())?)
    }
}

fn parse_axis(item: &str, extent: u64) -> Result<Axis, String> {
    let number = |text: &str| -> Result<Option<i128>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse::<i64>()
            .map(|value| Some(i128::from(value)))
            .map_err(|_| format!("\"{text}\" is not an integer"))
    };
    let extent = i128::from(extent);
    let mut fields = item.split(':');
    let (first, second, third) = (fields.next().unwrap_or(""), fields.next(), fields.next());
    if fields.next().is_some() {
        return Err(format!("\"{item}\" has more than two colons"));
    }
    let Some(second) = second else {
        let index = number(first)?.ok_or_else(|| "there is nothing between the commas".to_owned())?;
        let at = if index < 0 { index + extent } else { index };
        if at < 0 || at >= extent {
            return Err(format!("index {index} is outside 0..{extent}"));
        }
        return Ok(Axis { start: unsigned(at), step: 1, count: 1, kept: false });
    };
    let step = number(third.unwrap_or(""))?.unwrap_or(1);
    if step < 1 {
        return Err(format!("step {step} is not positive"));
    }
    let clamp = |value: i128| if value < 0 { value + extent } else { value }.clamp(0, extent);
    let start = number(first)?.map_or(0, clamp);
    let end = number(second)?.map_or(extent, clamp);
    let count = if end > start { (end - start - 1) / step + 1 } else { 0 };
    Ok(Axis { start: unsigned(start), step: unsigned(step), count: unsigned(count), kept: true })
}

fn unsigned(value: i128) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Axis, Slice};

    fn axes(text: &str, shape: &[u64]) -> Vec<(u64, u64, u64, bool)> {
        let of = |axis: &Axis| (axis.start, axis.step, axis.count, axis.kept);
        Slice::parse(text, shape).unwrap().axes.iter().map(of).collect()
    }

    #[test]
    fn a_slice_reads_as_in_numpy() {
        assert_eq!(axes("0:10:2,3", &[20, 5]), [(0, 2, 5, true), (3, 1, 1, false)]);
        assert_eq!(axes("...,-1", &[20, 5, 7]), [(0, 1, 20, true), (0, 1, 5, true), (6, 1, 1, false)]);
        assert_eq!(axes("-3:", &[20]), [(17, 1, 3, true)]);
        assert_eq!(axes("15:99", &[20]), [(15, 1, 5, true)]);
        assert_eq!(axes("9:3", &[20]), [(9, 1, 0, true)]);
        assert_eq!(axes("", &[2]), [(0, 1, 2, true)]);
    }

    #[test]
    fn a_slice_that_makes_no_sense_says_why() {
        let why = |text| Slice::parse(text, &[4, 4]).unwrap_err().to_string();
        assert_eq!(why("9"), "slice \"9\": axis 0: index 9 is outside 0..4");
        assert_eq!(why("0,0,0"), "slice \"0,0,0\" has 3 axes, the dataset has 2");
        assert_eq!(why("::0"), "slice \"::0\": axis 0: step 0 is not positive");
        assert_eq!(why("x"), "slice \"x\": axis 0: \"x\" is not an integer");
    }

    #[test]
    fn a_part_of_a_slice_is_counted_in_its_steps() {
        let slice = Slice::parse("2::3,1,:", &[20, 5, 7]).unwrap();
        assert_eq!(slice.shape(), [6, 7]);
        let part = slice.part(&[(4, 2), (5, 2)]);
        let of = |axis: &Axis| (axis.start, axis.step, axis.count);
        assert_eq!(part.axes.iter().map(of).collect::<Vec<_>>(), [(14, 3, 2), (1, 1, 1), (5, 1, 2)]);
    }
}
