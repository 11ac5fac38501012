//! `show`: the values of a dataset, in rows, as a picture, or as a line.

use crate::opening;
use crate::output::{Failure, Outcome, Output};
use crate::picture::Picture;
use crate::slice::Slice;
use crate::target::Target;
use crate::token::float;
use crate::values::{extent, shown};
use hyperslab::{Dataset, Datatype, Extent, Value};
use std::path::PathBuf;

/// Elements that are shown without leaving any out.
const ALL: u64 = 1000;
/// Elements at either end of an axis that is longer.
const EDGE: u64 = 3;
/// Columns of text.
const WIDTH: usize = 100;
/// Values a picture or a plot is made of.
const MOST_DRAWN: u64 = 64 << 20;

/// The values of a dataset.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// A part of the dataset: `0:10:2,3,...,:`, as numpy reads it.
    #[arg(long, allow_hyphen_values = true)]
    slice: Option<String>,
    /// Draws a heat map of a two-dimensional part.
    #[arg(long, value_name = "OUT")]
    png: Option<PathBuf>,
    /// Draws a line in the terminal.
    #[arg(long)]
    plot: bool,
    /// `run.h5/entry/data` or `run.h5::/entry/data?slice=0,...`.
    #[arg(value_name = "FILE/PATH")]
    target: String,
}

pub(crate) fn run(arguments: &Arguments, output: &mut Output) -> Outcome {
    let target = Target::parse(&arguments.target);
    let dataset = opening::file(&target.file)?.dataset(&target.path)?;
    let slice = match arguments.slice.as_ref().or(target.slice.as_ref()) {
        Some(text) => Slice::parse(text, &dataset.shape())?,
        None => Slice::all(&dataset.shape()),
    };
    if let Some(path) = &arguments.png {
        draw(&dataset, &slice)?.save(path)?;
        return output.line(format!("{} {:?} is drawn in {}", dataset.path(), slice.shape(), path.display()));
    }
    if arguments.plot {
        return plot(&numbers(&dataset, &slice)?, WIDTH - 20, output);
    }
    output.line(format!("{} {} {}", dataset.path(), extent(&dataset.extent()), dataset.datatype()))?;
    if dataset.extent() == Extent::Null {
        return Ok(());
    }
    Rows { dataset: &dataset, slice: &slice, short: slice.count() > ALL }.print(output)
}

/// Every element of a part as a number.
pub(crate) fn numbers(dataset: &Dataset, slice: &Slice) -> Outcome<Vec<f64>> {
    if slice.count() > MOST_DRAWN {
        let message = format!("{} values are too many for a picture; --slice takes a part", slice.count());
        return Err(Failure::message(message));
    }
    let selection = slice.selection()?;
    if let Ok(numbers) = dataset.read_selection::<f64>(&selection) {
        return Ok(numbers.into_iter().collect());
    }
    Ok(dataset.read_values(&selection)?.iter().map(float).collect())
}

/// A heat map of a two-dimensional part; axes of length one do not count. What reads as the fill
/// value somebody chose is a hole.
pub(crate) fn draw(dataset: &Dataset, slice: &Slice) -> Outcome<Picture> {
    let long: Vec<u64> = slice.shape().into_iter().filter(|length| *length != 1).collect();
    let (height, width) = match long.as_slice() {
        [] => (1, 1),
        [width] => (1, *width),
        [height, width] => (*height, *width),
        _ => {
            let message = format!(
                "a picture has two axes, {:?} has {}; --slice 0,... takes a part",
                slice.shape(),
                long.len()
            );
            return Err(Failure::message(message));
        }
    };
    let mut values = numbers(dataset, slice)?;
    if let Some(fill) = dataset.fill()?.as_ref().map(float) {
        let holes = values.iter_mut().filter(|value| value.to_bits() == fill.to_bits());
        holes.for_each(|value| *value = f64::NAN);
    }
    Picture::heat_map(&values, height, width)
}

struct Rows<'a> {
    dataset: &'a Dataset,
    slice: &'a Slice,
    /// Whether the middle of long axes is left out.
    short: bool,
}

impl Rows<'_> {
    fn print(&self, output: &mut Output) -> Outcome {
        let shape = self.slice.shape();
        let Some((last, outer)) = shape.split_last() else {
            return self.row(&[], 1, output);
        };
        if shape.contains(&0) {
            return output.line("no elements");
        }
        let mut at = vec![0; outer.len()];
        loop {
            if let Some((row, planes)) = at.split_last()
                && *row == 0
                && !planes.is_empty()
            {
                output.line(format!("{planes:?}"))?;
            }
            self.row(&at, *last, output)?;
            if !self.next(&mut at, outer, output)? {
                return Ok(());
            }
        }
    }

    /// The next row that is shown.
    fn next(&self, at: &mut [u64], outer: &[u64], output: &mut Output) -> Outcome<bool> {
        for (place, length) in at.iter_mut().zip(outer).rev() {
            *place += 1;
            if self.short && *length > 2 * EDGE && *place == EDGE {
                output.line(format!("  .. {} left out", length - 2 * EDGE))?;
                *place = length - EDGE;
            }
            if *place < *length {
                return Ok(true);
            }
            *place = 0;
        }
        Ok(false)
    }

    fn row(&self, at: &[u64], length: u64, output: &mut Output) -> Outcome {
        let left_out = self.short && length > 4 * EDGE;
        let ranges =
            if left_out { vec![(0, 2 * EDGE), (length - 2 * EDGE, 2 * EDGE)] } else { vec![(0, length)] };
        let mut cells = Vec::new();
        for (index, range) in ranges.into_iter().enumerate() {
            if index > 0 {
                cells.push("..".to_owned());
            }
            let part: Vec<(u64, u64)> = at.iter().map(|at| (*at, 1)).chain([range]).collect();
            let values = self.dataset.read_values(&self.slice.part(&part).selection()?)?;
            cells.extend(values.iter().map(|value| shown(value, self.dataset.datatype())));
        }
        wrapped(&cells, is_number(self.dataset.datatype()), output)
    }
}

fn is_number(datatype: &Datatype) -> bool {
    use hyperslab::Class;
    matches!(datatype.class(), Class::Integer(_) | Class::Float(_) | Class::Bitfield(_) | Class::Complex(_))
}

/// Cells in columns of equal width, numbers to the right.
fn wrapped(cells: &[String], right: bool, output: &mut Output) -> Outcome {
    let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    for row in cells.chunks((WIDTH / (width + 2)).max(1)) {
        let row: String = row
            .iter()
            .map(|cell| if right { format!("  {cell:>width$}") } else { format!("  {cell:<width$}") })
            .collect();
        output.line(row.trim_end())?;
    }
    Ok(())
}

/// A line of blocks, eight heights in each of a few rows, at most `width` columns.
pub(crate) fn plot(values: &[f64], width: usize, output: &mut Output) -> Outcome {
    const HEIGHT: usize = 8;
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (Some(low), Some(high)) = (finite().reduce(f64::min), finite().reduce(f64::max)) else {
        return output.line("no numbers to plot");
    };
    let columns: Vec<f64> = values.chunks(values.len().div_ceil(width.max(1)).max(1)).map(mean).collect();
    let heights: Vec<usize> = columns.iter().map(|value| eighths(*value, low, high, HEIGHT * 8)).collect();
    for row in (0..HEIGHT).rev() {
        let line: String = heights
            .iter()
            .map(|height| BLOCKS.get(height.saturating_sub(row * 8).min(8)).copied().unwrap_or(' '))
            .collect();
        let label = match row {
            0 => shown(&Value::Float(low), &Datatype::of::<f64>()),
            _ if row + 1 == HEIGHT => shown(&Value::Float(high), &Datatype::of::<f64>()),
            _ => String::new(),
        };
        output.line(format!("{label:>12.12} │{line}"))?;
    }
    output.line(format!("{:>12} └{}", "", "─".repeat(heights.len())))?;
    output.line(format!("{:>14}0 to {}", "", values.len().saturating_sub(1)))
}

#[expect(clippy::cast_precision_loss, reason = "the mean of a few values")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a height of a few rows, clamped"
)]
fn eighths(value: f64, low: f64, high: f64, most: usize) -> usize {
    let part = if high > low { (value - low) / (high - low) } else { 0.5 };
    (part.clamp(0.0, 1.0) * (most - 1) as f64).round() as usize + 1
}

#[cfg(test)]
mod tests {
    use super::eighths;

    #[test]
    fn the_lowest_value_still_shows() {
        assert_eq!(eighths(0.0, 0.0, 1.0, 64), 1);
        assert_eq!(eighths(1.0, 0.0, 1.0, 64), 64);
    }
}
