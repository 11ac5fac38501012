//! [`Shape`]: a selection as a product of axes as far as it is one, and pieces where it is not.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::space::axis::Axis;
use crate::space::blocks::Slab;
use crate::space::extent::product;
use crate::space::hyperslab::Hyperslab;
use crate::space::part::{Part, PartAxis};
use crate::space::selection::Selection;
use smallvec::{SmallVec, smallvec};

/// The most pieces a selection is cut into: more would be a list of elements in disguise.
const MAX_PIECES: usize = 1 << 20;

/// The elements of a selection in row-major order.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    factors: Factors,
    count: u64,
}

/// The factors of a selection, most often few.
type Factors = SmallVec<[Factor; 3]>;

/// Neighbouring axes whose coordinates do not depend on those of other axes.
#[derive(Clone, Debug)]
pub(crate) enum Factor {
    /// One axis.
    Axis(Axis),
    /// Several axes that cannot be told apart, as products one after another.
    Pieces { rank: usize, pieces: Vec<Piece> },
}

/// A product of axes that is a contiguous range in the order of elements.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Elements before this piece.
    pub(crate) before: u64,
    pub(crate) axes: Vec<Axis>,
}

impl Piece {
    pub(crate) fn count(&self) -> u64 {
        self.axes.iter().map(Axis::length).product()
    }
}

impl Factor {
    pub(crate) fn rank(&self) -> usize {
        match self {
            Self::Axis(_) => 1,
            Self::Pieces { rank, .. } => *rank,
        }
    }

    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Axis(axis) => axis.length(),
            Self::Pieces { pieces, .. } => pieces.last().map_or(0, |piece| piece.before + piece.count()),
        }
    }
}

impl Shape {
    /// The shape of a selection of boxes in a dataset of size `dims`; an unlimited axis has `slices`
    /// coordinates, or all that `dims` holds.
    ///
    /// # Errors
    /// `Usage` for points; `Limit` when counts or coordinates do not fit 64 bits.
    pub(crate) fn of(selection: &Selection, dims: &[u64], slices: Option<u64>) -> Result<Self> {
        let factors = match selection {
            Selection::All => dims.iter().map(|dim| Factor::Axis(Axis::range(0, *dim))).collect(),
            Selection::None => smallvec![Factor::Axis(Axis::range(0, 0)); dims.len().max(1)],
            Selection::Points(_) => return Err(Error::usage("a list of points is not a selection of boxes")),
            Selection::Hyperslab(Hyperslab::Regular(axes)) => {
                let axes = axes.iter().enumerate().map(|(number, slab)| {
                    let length = match slices.filter(|_| slab.is_unlimited()) {
                        Some(slices) => slices,
                        None => slab.slices(dims.get(number).copied().unwrap_or(0))?,
                    };
                    slab.axis(length).map(Factor::Axis)
                });
                axes.collect::<Result<_>>()?
            }
            Selection::Hyperslab(Hyperslab::Blocks(blocks)) if blocks.is_empty() => {
                smallvec![Factor::Axis(Axis::range(0, 0)); blocks.rank()]
            }
            Selection::Hyperslab(Hyperslab::Blocks(blocks)) => {
                blocks.count()?;
                factors(&blocks.slabs()?, blocks.rank())?
            }
        };
        Self::new(factors)
    }

    fn new(factors: Factors) -> Result<Self> {
        let count = product(factors.iter().map(Factor::count))?;
        Ok(Self { factors, count })
    }

    /// A row of `count` elements.
    pub(crate) fn row(count: u64) -> Self {
        Self { factors: smallvec![Factor::Axis(Axis::range(0, count))], count }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn rank(&self) -> usize {
        self.factors.iter().map(Factor::rank).sum()
    }

    pub(crate) fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// The axes, when the whole selection is their product.
    pub(crate) fn axes(&self) -> Option<Vec<&Axis>> {
        let axes = self.factors.iter().map(|factor| match factor {
            Factor::Axis(axis) => Some(axis),
            Factor::Pieces { .. } => None,
        });
        axes.collect()
    }

    /// Whether `part`, whose source is the selected dataset, takes any of the selected elements.
    pub(crate) fn meets(&self, part: &Part) -> bool {
        let mut first = 0;
        self.factors.iter().all(|factor| {
            let at = first;
            first += factor.rank();
            match factor {
                Factor::Axis(axis) => meets(axis, part.along_source(at)),
                Factor::Pieces { pieces, .. } => pieces.iter().any(|piece| {
                    (at..).zip(&piece.axes).all(|(number, axis)| meets(axis, part.along_source(number)))
                }),
            }
        })
    }
}

fn meets(axis: &Axis, along: Option<&PartAxis>) -> bool {
    let mut found = false;
    for segment in along.map(|along| along.segments.as_slice()).unwrap_or_default() {
        axis.meet(&segment.sources(), |_| found = true);
    }
    found
}

/// Neighbouring factors as pieces of one.
pub(crate) fn pieces(factors: &[&Factor]) -> Result<Vec<Piece>> {
    let Some((first, rest)) = factors.split_first() else {
        return Ok(vec![Piece { before: 0, axes: Vec::new() }]);
    };
    let below = pieces(rest)?;
    let below_count = below.last().map_or(0, |piece| piece.before.saturating_add(piece.count()));
    let mut all = Vec::new();
    match first {
        Factor::Axis(axis) => prepend(axis, &below, below_count, 0, &mut all)?,
        Factor::Pieces { pieces, .. } => {
            for piece in pieces {
                if let [only] = below.as_slice() {
                    let axes = piece.axes.iter().chain(&only.axes).cloned().collect();
                    all.push(Piece { before: piece.before.saturating_mul(below_count), axes });
                } else {
                    return Err(Error::limit(
                        "a selection of boxes is too irregular for another of a different shape",
                    ));
                }
            }
        }
    }
    Ok(all)
}

/// `axis` times `below`: one piece when `below` is one, otherwise row by row.
fn prepend(axis: &Axis, below: &[Piece], below_count: u64, before: u64, all: &mut Vec<Piece>) -> Result<()> {
    let with = |axis: Axis, piece: &Piece| std::iter::once(axis).chain(piece.axes.iter().cloned()).collect();
    if let [only] = below {
        all.push(Piece { before, axes: with(axis.clone(), only) });
        return Ok(());
    }
    let more = usize::try_from(axis.length()).ok().and_then(|rows| rows.checked_mul(below.len()));
    if more.and_then(|more| more.checked_add(all.len())).is_none_or(|total| total > MAX_PIECES) {
        return Err(Error::limit(format!(
            "a selection of boxes comes apart into more than {MAX_PIECES} pieces"
        )));
    }
    for row in 0..axis.length() {
        for piece in below {
            let before = before + row * below_count + piece.before;
            all.push(Piece { before, axes: with(Axis::range(axis.coordinate(row), 1), piece) });
        }
    }
    Ok(())
}

/// The factors of a union of boxes.
fn factors(slabs: &Arc<Vec<Slab>>, rank: usize) -> Result<Factors> {
    let mut all = Factors::new();
    let mut level = slabs;
    while let Some(first) = level.first() {
        if level.iter().any(|slab| slab.below != first.below) {
            let rank = rank.saturating_sub(all.len());
            all.push(Factor::Pieces { rank, pieces: uneven(level, rank)? });
            return Ok(all);
        }
        let runs: Vec<(u64, u64)> = level.iter().map(|slab| (slab.start, slab.end - slab.start)).collect();
        all.push(Factor::Axis(Axis::from_runs(&runs)));
        level = &first.below;
    }
    Ok(all)
}

/// Slabs with different selections below them, as pieces.
fn uneven(slabs: &[Slab], rank: usize) -> Result<Vec<Piece>> {
    let mut all = Vec::new();
    let mut before = 0;
    for slab in slabs {
        let factors = factors(&slab.below, rank.saturating_sub(1))?;
        let below = pieces(&factors.iter().collect::<Vec<_>>())?;
        let below_count = below.last().map_or(0, |piece| piece.before + piece.count());
        let rows = Axis::range(slab.start, slab.end - slab.start);
        prepend(&rows, &below, below_count, before, &mut all)?;
        before += rows.length() * below_count;
    }
    Ok(all)
}
