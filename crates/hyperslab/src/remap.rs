//! Changing what a virtual dataset is made of: other mappings, fewer levels.

use crate::dataset::{Dataset, Elements};
use crate::error::{Error, Place, Result};
use crate::file_state::FileState;
use crate::format::bytes::Wire;
use crate::format::message::layout::DataLayout;
use crate::format::object_header::{RawMessage, kind};
use crate::limits::Limits;
use crate::object::header::edit;
use crate::read;
use crate::space::{AxisSlab, Part, PartAxis, Segment, Selection};
use crate::vds::layout::{VirtualLayout, VirtualSource};
use std::path::PathBuf;
use std::sync::Arc;

/// A box of a part: on each axis one segment.
type Pieces<'a> = Vec<(&'a PartAxis, &'a Segment)>;
/// The axis of one side of a piece, where it begins and its step.
type Side = dyn Fn(&PartAxis, &Segment) -> Option<(usize, u64, u64)>;

impl Dataset {
    /// Gives a virtual dataset other mappings; its size stays as it is.
    ///
    /// # Errors
    /// `Usage` when the dataset is not virtual, `layout` has another extent than the one stored, or the file is
    /// open to read only.
    pub fn set_virtual_layout(&self, layout: &VirtualLayout) -> Result<()> {
        let _writing = self.file.writing()?;
        self.set_layout_held(layout).at(|| self.place())
    }

    fn set_layout_held(&self, layout: &VirtualLayout) -> Result<()> {
        let Elements::Virtual(before) = &self.cell.state().elements else {
            return Err(Error::usage("is not a virtual dataset"));
        };
        if layout.extent() != before.extent() {
            let message = format!("mappings of a dataset of {:?}", layout.extent().dims());
            return Err(Error::usage(format!("{message}, this one has {:?}", before.extent().dims())));
        }
        let (md, objects) = (self.file.metadata(), &self.file.objects);
        let header = self.header()?;
        let old = objects.decoded(&header, kind::LAYOUT, DataLayout::read)?;
        let block = layout.encode(md.widths())?;
        let placed = block.map(|block| objects.global_heap.insert(md, &block)).transpose()?;
        let (collection, index) = placed.map_or((None, 0), |(address, index)| (Some(address), index));
        let body = md.body(&DataLayout::Virtual { collection, index })?;
        edit::put(md, self.address, &RawMessage { kind: kind::LAYOUT, flags: 0, body })?;
        if let Some(DataLayout::Virtual { collection: Some(address), index }) = old {
            objects.global_heap.remove(md, address, index)?;
        }
        self.file.forget_layout(self.address);
        self.reload()
    }

    /// The mappings that lead from a virtual dataset straight to where its elements are stored, through all
    /// virtual datasets on the way.
    ///
    /// # Errors
    /// `Usage` when the dataset is not virtual, a mapping is unlimited, or a source is missing or does not
    /// have all that is mapped; `Limit` when there are more than four million mappings.
    pub fn flattened(&self) -> Result<VirtualLayout> {
        self.flat().at(|| self.place())
    }

    fn flat(&self) -> Result<VirtualLayout> {
        let stored = self.cell.state();
        let Elements::Virtual(layout) = &stored.elements else {
            return Err(Error::usage("is not a virtual dataset"));
        };
        if layout.is_unlimited() {
            return Err(Error::usage("it grows with its sources, which only mappings to them can say"));
        }
        if let Some(status) = self.mapping_status()?.iter().find(|status| status.problem.is_some()) {
            let message = status.problem.as_ref().map_or_else(String::new, ToString::to_string);
            let name = format!("mapping {} ({}:{})", status.mapping, status.file, status.path);
            return Err(Error::usage(format!("{message}; its mapping would be lost")).at(name));
        }
        let mut flat = VirtualLayout::of(layout.extent().clone());
        let Some((plan, _)) = read::plan(self, &Selection::All)? else { return Ok(flat) };
        let own = Arc::as_ptr(&self.file);
        for work in plan.steps().flat_map(read::Step::fills) {
            let nested = work.source.state.address != stored.address || Arc::as_ptr(&work.source.file) != own;
            if nested {
                return Err(
                    Error::usage("what it lacks is another fill value than its own").at(work.source.place())
                );
            }
        }
        let most = self.file.metadata().limits().flat_mappings;
        for work in plan.reads() {
            let dims = work.source.state.extent.dims();
            let (file, path) = (named(&self.file, &work.source.file), &work.source.path);
            let path = String::from_utf8_lossy(path).replace('%', "%%");
            for pieces in work.parts.iter().flat_map(boxes) {
                let (here, there) = sides(&pieces, (layout.extent().rank(), dims.len()))?;
                flat.map(&here, &VirtualSource::new(file.clone(), path.clone(), dims).select(there))?;
                if flat.mappings().len() as u64 > most {
                    let what = format!("more than {most} mappings lead to its elements");
                    return Err(Limits::refuse("flat_mappings", what));
                }
            }
        }
        Ok(flat)
    }
}

/// Every combination of one segment for each axis.
fn boxes(part: &Part) -> Vec<Pieces<'_>> {
    let mut all: Vec<Pieces<'_>> = vec![Vec::new()];
    for axis in &part.axes {
        let mut longer = Vec::with_capacity(all.len().saturating_mul(axis.segments.len()));
        for pieces in &all {
            for segment in &axis.segments {
                longer.push(pieces.iter().copied().chain([(axis, segment)]).collect());
            }
        }
        all = longer;
    }
    all
}

/// The two sides of a box as selections.
fn sides(pieces: &Pieces<'_>, (here, there): (usize, usize)) -> Result<(Selection, Selection)> {
    let mut long: Vec<(usize, usize)> = Vec::new();
    let side = |rank: usize, of: &Side| {
        let mut slabs = vec![AxisSlab::range(0, 1); rank];
        for (axis, segment) in pieces {
            if let Some((number, start, step)) = of(axis, segment)
                && let Some(slab) = slabs.get_mut(number)
            {
                let (stride, count) = (step.max(1), segment.count);
                *slab = AxisSlab { start, stride, count: Some(count), block: Some(1) };
            }
        }
        if slabs.is_empty() { Ok(Selection::All) } else { Selection::from_axes(slabs) }
    };
    for (axis, segment) in pieces {
        if segment.count > 1 {
            let (Some(place), Some(source)) = (axis.place_axis, axis.source_axis) else {
                return Err(Error::unsupported("one element would be mapped to several"));
            };
            long.push((place, source));
        }
    }
    long.sort_unstable();
    if !long.is_sorted_by_key(|(_, source)| *source) {
        return Err(Error::unsupported("its axes are in another order than those of its source"));
    }
    let virtual_side =
        side(here, &|axis, segment| Some((axis.place_axis?, segment.place, segment.place_step)))?;
    let source_side =
        side(there, &|axis, segment| Some((axis.source_axis?, segment.source, segment.source_step)))?;
    Ok((virtual_side, source_side))
}

/// How a mapping of `file` names the file `source`.
fn named(file: &Arc<FileState>, source: &Arc<FileState>) -> String {
    if file.is_same(source) {
        return ".".to_owned();
    }
    let name = source.place.path.file_name().map(PathBuf::from).unwrap_or_default();
    let path = source.place.directory.join(name);
    let shown = path.strip_prefix(&file.place.directory).unwrap_or(&path);
    shown.to_string_lossy().replace('%', "%%")
}
