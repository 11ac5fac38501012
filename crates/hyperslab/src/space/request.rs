//! [`parts`]: a request, as parts between its output array and the dataset.

use crate::error::Result;
use crate::space::axis::Axis;
use crate::space::part::{Part, PartAxis, Segment, Segments};
use crate::space::points::Points;
use crate::space::progression::Progression;
use crate::space::project::Mapper;
use crate::space::selection::Selection;
use crate::space::shape::Shape;

/// `selection` of a dataset of size `dims`: the places are those of the dense row-major array of
/// [`Selection::shape`], the source is the dataset.
///
/// # Errors
/// `Usage` when the selection leaves the dataset; `Limit` when it is too large or too irregular.
pub(crate) fn parts(selection: &Selection, dims: &[u64]) -> Result<Vec<Part>> {
    selection.check(dims)?;
    if let Selection::Points(points) = selection {
        return Ok(lines(points));
    }
    let shape = Shape::of(selection, dims, None)?;
    if shape.count() == 0 {
        return Ok(Vec::new());
    }
    if let Some(axes) = shape.axes() {
        let axes = axes.into_iter().enumerate().map(|(number, axis)| whole(number, axis));
        return Ok(vec![Part { axes: axes.collect() }]);
    }
    let row = Shape::row(shape.count());
    let all = Part { axes: vec![whole(0, &Axis::range(0, shape.count()))] };
    Ok(Mapper::between(&row, &shape)?.project(&all).into_vec())
}

/// All of an axis, at the places 0, 1, 2, …
fn whole(number: usize, axis: &Axis) -> PartAxis {
    let every = Progression::upto(axis.length());
    let identity = Segment { place: 0, place_step: 1, source: 0, source_step: 1, count: every.count };
    let mut segments = Segments::new();
    axis.locate(&every, |hit| segments.push(identity.through(&hit)));
    PartAxis { place_axis: Some(number), source_axis: Some(number), segments }
}

/// Points as parts; neighbours in the list that go on evenly along one axis are one part.
fn lines(points: &Points) -> Vec<Part> {
    let mut all: Vec<Part> = Vec::new();
    let mut line: Option<Line<'_>> = None;
    for (place, point) in points.iter().enumerate() {
        match line.take().map(|line| line.extended(point)) {
            Some(Ok(longer)) => line = Some(longer),
            Some(Err(done)) => {
                all.push(done.part());
                line = Some(Line::at(place, point));
            }
            None => line = Some(Line::at(place, point)),
        }
    }
    all.extend(line.map(|line| line.part()));
    all
}

/// Points that follow each other along one axis.
struct Line<'a> {
    place: u64,
    first: &'a [u64],
    /// The axis and the distance from point to point; unknown for a single point.
    along: Option<(usize, u64)>,
    count: u64,
}

impl<'a> Line<'a> {
    fn at(place: usize, first: &'a [u64]) -> Self {
        Self { place: place as u64, first, along: None, count: 1 }
    }

    /// The line with one more point, or the line as it was when the point is not on it.
    fn extended(self, point: &[u64]) -> std::result::Result<Self, Self> {
        let mut moved = self.first.iter().zip(point).enumerate().filter(|(_, (a, b))| a != b);
        let (Some((axis, (from, to))), None) = (moved.next(), moved.next()) else { return Err(self) };
        let Some(distance) = to.checked_sub(*from) else { return Err(self) };
        let step = self.along.map_or(distance, |(_, step)| step);
        if self.along.is_some_and(|(other, _)| other != axis)
            || step.checked_mul(self.count) != Some(distance)
        {
            return Err(self);
        }
        Ok(Self { along: Some((axis, step)), count: self.count + 1, ..self })
    }

    fn part(&self) -> Part {
        let (along, step) = self.along.unwrap_or((0, 1));
        let axes = self.first.iter().enumerate().map(|(axis, coordinate)| {
            if axis != along {
                return PartAxis::fixed(None, Some((axis, *coordinate)));
            }
            let segment = Segment {
                place: self.place,
                place_step: 1,
                source: *coordinate,
                source_step: step,
                count: self.count,
            };
            PartAxis { place_axis: Some(0), source_axis: Some(axis), segments: [segment].into() }
        });
        Part { axes: axes.collect() }
    }
}
