//! [`BTreeV2`]: a version-2 B-tree, without knowing what its records mean.

mod insert;
mod remove;

use crate::error::{Error, Place, Result, to_usize};
use crate::format::btree_v2::{BTreeV2Child, BTreeV2Header, BTreeV2Node, BTreeV2Shape};
use crate::format::bytes::{Address, Cursor, Length, Sink, Wire};
use crate::metadata::Metadata;
use crate::metadata::stage::{Seal, Stage};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::sync::Arc;

/// Nodes are split when full and merged below 40 %, as libhdf5 does.
const SPLIT_PERCENT: u8 = 100;
const MERGE_PERCENT: u8 = 40;
/// When the header of a tree reaches the file, and where its checksum is.
const HEADER: (Stage, Seal) = (Stage::IndexHeader, Seal::Last);

/// A version-2 B-tree: where it is, and what never changes about it.
#[derive(Debug)]
pub(crate) struct BTreeV2 {
    address: Address,
    shape: Arc<BTreeV2Shape>,
}

/// A header as it was read, and what follows from it.
#[derive(Debug)]
struct Known {
    header: BTreeV2Header,
    shape: Arc<BTreeV2Shape>,
}

/// About what that takes in memory.
const WEIGHT: usize = size_of::<BTreeV2Header>() + 512;

/// What a walk asks and tells.
pub(crate) trait Walk {
    /// Whether any record between these two is wanted; without one there is no bound on that side.
    fn wants(&mut self, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<bool>;
    /// A record, in order; not every one was wanted.
    fn found(&mut self, record: &[u8]) -> Result<()>;
}

/// How a record of the tree is to what is sought. It is called without any lock held.
pub(crate) type Compare<'a> = dyn FnMut(&[u8]) -> Result<Ordering> + 'a;

/// One node on the way from the root to a leaf.
#[derive(Clone, Copy, Debug)]
struct Step {
    pointer: BTreeV2Child,
    height: u16,
    /// The child the way goes on to; in the last step, the record.
    index: usize,
}

/// The way from the root: few trees are higher.
type Steps = SmallVec<[Step; 4]>;

impl BTreeV2 {
    /// A new tree without records, of nodes of `node_size` bytes.
    pub(crate) fn create(md: &Metadata, kind: u8, node_size: u32, record_size: u16) -> Result<Self> {
        let header = BTreeV2Header {
            kind,
            node_size,
            record_size,
            depth: 0,
            split_percent: SPLIT_PERCENT,
            merge_percent: MERGE_PERCENT,
            root: None,
            root_records: 0,
            records: Length(0),
        };
        let shape = Arc::new(BTreeV2Shape::new(&header, md.widths())?);
        let address = md.place_whole(Stage::IndexHeader, md.encode(&header)?)?;
        Ok(Self { address, shape })
    }

    /// The tree whose header is at `address`.
    pub(crate) fn open(md: &Metadata, address: Address) -> Result<Self> {
        Ok(Self { address, shape: Arc::clone(&known(md, address)?.shape) })
    }

    /// Where the header is.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// What the records are, from 1 to 11.
    pub(crate) fn kind(&self) -> u8 {
        self.shape.kind
    }

    /// Bytes of a record.
    pub(crate) fn record_size(&self) -> usize {
        self.shape.record_size
    }

    /// How many records there are.
    pub(crate) fn len(&self, md: &Metadata) -> Result<u64> {
        Ok(known(md, self.address)?.header.records.0)
    }

    /// A record that `compare` finds equal; it says how a record is to what is sought.
    pub(crate) fn find(&self, md: &Metadata, compare: &mut Compare<'_>) -> Result<Option<Vec<u8>>> {
        let known = known(md, self.address)?;
        let header = &known.header;
        let mut pointer = root_of(header);
        for height in (0..=header.depth).rev() {
            if pointer.records == 0 {
                return Ok(None);
            }
            let node = self.node(md, pointer, height)?;
            let (index, equal) = search(node.len(), &mut |at| node.record(at), compare)?;
            if equal {
                return Ok(node.record(index).map(<[u8]>::to_vec));
            }
            match node.children.get(index) {
                Some(child) => pointer = *child,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Walks the records of the wanted parts in order.
    pub(crate) fn walk(&self, md: &Metadata, walk: &mut dyn Walk) -> Result<()> {
        let known = known(md, self.address)?;
        let header = &known.header;
        let root = root_of(header);
        if root.records == 0 || !walk.wants(None, None)? {
            return Ok(());
        }
        let mut budget = header.records.0;
        self.walk_node(md, (root, header.depth), (None, None), walk, &mut budget)
    }

    fn walk_node(
        &self,
        md: &Metadata,
        (pointer, height): (BTreeV2Child, u16),
        (low, high): (Option<&[u8]>, Option<&[u8]>),
        walk: &mut dyn Walk,
        budget: &mut u64,
    ) -> Result<()> {
        let node = self.node(md, pointer, height)?;
        spend(budget, pointer)?;
        let mut before = low;
        for index in 0..node.len() {
            let record = node.record(index);
            self.walk_child(md, (&node, index, height), (before, record), walk, budget)?;
            if let Some(record) = record {
                walk.found(record)?;
            }
            before = record;
        }
        self.walk_child(md, (&node, node.len(), height), (before, high), walk, budget)
    }

    fn walk_child(
        &self,
        md: &Metadata,
        (node, index, height): (&BTreeV2Node, usize, u16),
        bounds: (Option<&[u8]>, Option<&[u8]>),
        walk: &mut dyn Walk,
        budget: &mut u64,
    ) -> Result<()> {
        match (node.children.get(index), height.checked_sub(1)) {
            (Some(child), Some(below)) if walk.wants(bounds.0, bounds.1)? => {
                self.walk_node(md, (*child, below), bounds, walk, budget)
            }
            _ => Ok(()),
        }
    }

    /// Changes the record that `compare` finds equal, in a way that keeps its place; false without one.
    pub(crate) fn update(
        &self,
        md: &Metadata,
        compare: &mut Compare<'_>,
        change: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<bool> {
        let (path, found) = self.path(md, compare)?;
        let (Some(step), Some(mut record)) = (path.last(), found) else { return Ok(false) };
        change(&mut record)?;
        self.set_record(md, step, &record)?;
        Ok(true)
    }

    /// Frees the tree, header and all.
    pub(crate) fn delete(&self, md: &Metadata) -> Result<()> {
        let known = known(md, self.address)?;
        let mut budget = known.header.records.0;
        self.free_node(md, root_of(&known.header), known.header.depth, &mut budget)?;
        md.free(self.address, BTreeV2Header::size(md.widths()) as u64)
    }

    fn free_node(&self, md: &Metadata, pointer: BTreeV2Child, height: u16, budget: &mut u64) -> Result<()> {
        if pointer.records == 0 {
            return Ok(());
        }
        let node = self.node(md, pointer, height)?;
        spend(budget, pointer)?;
        for child in &node.children {
            self.free_node(md, *child, height.saturating_sub(1), budget)?;
        }
        self.release(md, pointer)
    }

    fn release(&self, md: &Metadata, pointer: BTreeV2Child) -> Result<()> {
        md.free(address_of(pointer)?, self.shape.node_size as u64)
    }

    /// The way to what is sought, and it if it is there: then the last step leads to it.
    fn path(&self, md: &Metadata, compare: &mut Compare<'_>) -> Result<(Steps, Option<Vec<u8>>)> {
        let known = known(md, self.address)?;
        let header = &known.header;
        let mut path = Steps::new();
        let mut bytes = Vec::with_capacity(self.shape.node_size);
        let mut pointer = root_of(header);
        for height in (0..=header.depth).rev() {
            if pointer.records == 0 {
                break;
            }
            self.copy(md, (pointer, height), &mut bytes)?;
            let count = to_usize(pointer.records)?;
            let (index, equal) = search(count, &mut |at| self.record(&bytes, at), compare)?;
            path.push(Step { pointer, height, index });
            if equal {
                return Ok((path, self.record(&bytes, index).map(<[u8]>::to_vec)));
            }
            if height > 0 {
                pointer = self.shape.child(&bytes, (pointer.records, height), index, md.widths())?;
            }
        }
        Ok((path, None))
    }

    fn record<'b>(&self, bytes: &'b [u8], index: usize) -> Option<&'b [u8]> {
        let at = self.shape.record_at(index);
        bytes.get(at..at.checked_add(self.shape.record_size)?)
    }

    /// The bytes of a node in use.
    fn bytes(&self, md: &Metadata, pointer: BTreeV2Child, height: u16) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.copy(md, (pointer, height), &mut bytes)?;
        Ok(bytes)
    }

    /// Copies the bytes of a node in use, its checksum already looked at.
    fn copy(&self, md: &Metadata, (pointer, height): (BTreeV2Child, u16), bytes: &mut Vec<u8>) -> Result<()> {
        let address = address_of(pointer)?;
        let used = self.shape.used(pointer.records, height, md.widths()).at(|| node_place(address))?;
        if !md.copy_staged((address, self.shape.node_size), used, bytes) {
            self.node(md, pointer, height)?;
            *bytes = md.read(address, used)?;
        }
        Ok(())
    }

    fn node(&self, md: &Metadata, pointer: BTreeV2Child, height: u16) -> Result<Arc<BTreeV2Node>> {
        let address = address_of(pointer)?;
        let place = || node_place(address);
        let size = self.shape.used(pointer.records, height, md.widths()).at(place)?;
        let decode = |bytes: &[u8]| {
            let mut cursor = Cursor::new(bytes, md.widths());
            let node = BTreeV2Node::read(&mut cursor, &self.shape, pointer.records, height)?;
            // A search would find other chunks than a walk.
            if !node.chunks_ascend(self.shape.kind, md.widths()) {
                return Err(Error::malformed("its chunks are not in the order of their coordinates"));
            }
            Ok(node)
        };
        let node = md.decoded_block(address, size, |bytes| {
            let node = decode(bytes)?;
            let weight = node.weight();
            Ok((node, weight))
        });
        let node = node.at(place)?;
        // A node reached by two pointers that disagree about it is read again.
        if node.len() as u64 == pointer.records && node.children.is_empty() == (height == 0) {
            return Ok(node);
        }
        md.read(address, size).and_then(|bytes| decode(&bytes)).map(Arc::new).at(place)
    }

    /// Stages a whole node.
    fn put(&self, md: &Metadata, address: Address, node: &BTreeV2Node, height: u16) -> Result<()> {
        let mut sink = Sink::new(md.widths());
        node.write(&mut sink, &self.shape, height)?;
        let mut bytes = sink.into_bytes();
        bytes.resize(self.shape.node_size, 0);
        md.put(stage_of(height), address, bytes)
    }

    /// Changes a node in place; `records` is how many it then has.
    fn edit(
        &self,
        md: &Metadata,
        (pointer, height): (BTreeV2Child, u16),
        records: u64,
        change: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        md.edit(self.role(md, records, height)?, address_of(pointer)?, self.shape.node_size, change)
    }

    /// Gets the nodes of a path ready to be changed: what cannot be read is met before anything is changed.
    ///
    /// While others read the file, their next versions are at new places, since a reader may come by an older
    /// path. Whoever changes a node goes on to change those above.
    fn shadow_path(&self, md: &Metadata, path: &mut [Step]) -> Result<()> {
        md.hold(HEADER, self.address, BTreeV2Header::size(md.widths()))?;
        for step in path {
            step.pointer.address = Some(self.shadow(md, step.pointer, step.height)?);
            let role = self.role(md, step.pointer.records, step.height)?;
            md.hold(role, address_of(step.pointer)?, self.shape.node_size)?;
        }
        Ok(())
    }

    fn role(&self, md: &Metadata, records: u64, height: u16) -> Result<(Stage, Seal)> {
        let seal = self.shape.used(records, height, md.widths())?.saturating_sub(4);
        Ok((stage_of(height), Seal::After(seal)))
    }

    fn shadow(&self, md: &Metadata, pointer: BTreeV2Child, height: u16) -> Result<Address> {
        md.shadow_anew((stage_of(height), Seal::None), address_of(pointer)?, self.shape.node_size)
    }

    /// Replaces the record a path leads to.
    fn set_record_of(&self, md: &Metadata, path: &mut [Step], record: &[u8]) -> Result<()> {
        let before = path.first().map(|root| root.pointer.address);
        self.shadow_path(md, path)?;
        let Some((last, above)) = path.split_last() else { return Ok(()) };
        self.set_record(md, last, record)?;
        if path.first().map(|root| root.pointer.address) == before {
            return Ok(());
        }
        let mut below = last.pointer;
        for step in above.iter().rev() {
            self.set_child(md, step, &below)?;
            below = step.pointer;
        }
        self.set_root(md, below, path.first().map_or(0, |root| root.height))
    }

    fn set_record(&self, md: &Metadata, step: &Step, record: &[u8]) -> Result<()> {
        let at = self.shape.record_at(step.index);
        self.edit(md, (step.pointer, step.height), step.pointer.records, |bytes| {
            let place = bytes.get_mut(at..at.saturating_add(record.len()));
            place.ok_or_else(|| Error::usage("no such record in a B-tree node"))?.copy_from_slice(record);
            Ok(())
        })
    }

    /// Replaces the pointer a step follows.
    fn set_child(&self, md: &Metadata, step: &Step, child: &BTreeV2Child) -> Result<()> {
        let at = (step.pointer.records, step.height);
        self.edit(md, (step.pointer, step.height), step.pointer.records, |bytes| {
            self.shape.set_child(bytes, at, (step.index, child), md.widths())
        })
    }

    /// The pointer to a node that is at `address`.
    fn pointer_to(address: Address, node: &BTreeV2Node) -> BTreeV2Child {
        let records = node.len() as u64;
        let below = node.children.iter().fold(0, |sum: u64, child| sum.saturating_add(child.total));
        BTreeV2Child { address: Some(address), records, total: records.saturating_add(below) }
    }

    /// Stores where the root is and how many records there are.
    fn set_root(&self, md: &Metadata, root: BTreeV2Child, depth: u16) -> Result<()> {
        let records = u16::try_from(root.records)
            .map_err(|_| Error::limit(format!("a B-tree root of {} records", root.records)))?;
        let known = known(md, self.address)?;
        let mut sink = Sink::new(md.widths());
        sink.address(root.address.filter(|_| root.records > 0))?;
        sink.u16(records);
        sink.length(root.total)?;
        md.edit(HEADER, self.address, BTreeV2Header::size(md.widths()), |bytes| {
            for (at, new) in
                [(BTreeV2Header::DEPTH_AT, &depth.to_le_bytes()[..]), (BTreeV2Header::ROOT_AT, sink.bytes())]
            {
                let place = bytes.get_mut(at..at.saturating_add(new.len()));
                place.ok_or_else(|| Error::malformed("a B-tree header is too short"))?.copy_from_slice(new);
            }
            Ok(())
        })?;
        let (root_records, total) = (records, Length(root.total));
        let root = root.address.filter(|_| records > 0);
        let header = BTreeV2Header { depth, root, root_records, records: total, ..known.header.clone() };
        let known = Known { header, shape: Arc::clone(&self.shape) };
        md.keep_decoded(self.address, &Arc::new(known), WEIGHT);
        Ok(())
    }
}

fn place_of(address: Address) -> String {
    format!("B-tree header at {address}")
}

fn node_place(address: Address) -> String {
    format!("B-tree node at {address}")
}

/// What leads to nodes reaches the file after them.
fn stage_of(height: u16) -> Stage {
    if height == 0 { Stage::Block } else { Stage::IndexBlock }
}

/// The header at `address`, decoded once until it changes.
fn known(md: &Metadata, address: Address) -> Result<Arc<Known>> {
    let decode = |bytes: &[u8]| {
        let header = BTreeV2Header::read(&mut Cursor::new(bytes, md.widths()))?;
        check_header(md, &header)?;
        let shape = BTreeV2Shape::new(&header, md.widths())?;
        Ok((Known { header, shape: Arc::new(shape) }, WEIGHT))
    };
    md.decoded_block(address, BTreeV2Header::size(md.widths()), decode).at(|| place_of(address))
}

fn check_header(md: &Metadata, header: &BTreeV2Header) -> Result<()> {
    if header.root.is_some_and(|root| !md.reaches(root.0.saturating_add(header.node_size.into()))) {
        let message = format!("its root of {} bytes does not fit the file", header.node_size);
        return Err(Error::malformed(message));
    }
    // Records do not overlap, so this bounds every walk, whatever the pointers say.
    if !md.reaches(header.records.0.saturating_mul(u64::from(header.record_size.max(1)))) {
        return Err(Error::malformed(format!("{} records do not fit the file", header.records.0)));
    }
    Ok(())
}

fn root_of(header: &BTreeV2Header) -> BTreeV2Child {
    let records = u64::from(header.root_records);
    BTreeV2Child { address: header.root, records, total: header.records.0 }
}

fn address_of(pointer: BTreeV2Child) -> Result<Address> {
    pointer.address.ok_or_else(|| Error::malformed("B-tree node has no address"))
}

fn spend(budget: &mut u64, pointer: BTreeV2Child) -> Result<()> {
    *budget = budget
        .checked_sub(pointer.records)
        .filter(|_| pointer.records > 0)
        .ok_or_else(|| Error::malformed("the nodes of a B-tree do not have the records its header counts"))?;
    Ok(())
}

/// The first record not before what is sought, and whether it is that.
fn search<'r>(
    count: usize,
    record: &mut dyn FnMut(usize) -> Option<&'r [u8]>,
    compare: &mut Compare<'_>,
) -> Result<(usize, bool)> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        let Some(record) = record(middle) else { return Ok((low, false)) };
        match compare(record)? {
            Ordering::Equal => return Ok((middle, true)),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    Ok((low, false))
}

#[cfg(test)]
mod tests;
