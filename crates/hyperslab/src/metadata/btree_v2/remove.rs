//! Removing records: a leaf loses one, and nodes with too few join a neighbour or take from it.

use crate::error::{Error, Result, to_usize};
use crate::format::btree_v2::BTreeV2Child;
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Compare, Step, Steps, address_of};

impl BTreeV2 {
    /// Removes the record that `compare` finds equal, and gives it.
    ///
    /// libhdf5 counts on all nodes but the root having the fewest records they may have, or more.
    pub(crate) fn remove(&self, md: &Metadata, compare: &mut Compare<'_>) -> Result<Option<Vec<u8>>> {
        let (mut path, found) = self.path(md, compare)?;
        let Some(found) = found else { return Ok(None) };
        let inner = path.len().checked_sub(1).filter(|at| path.get(*at).is_some_and(|step| step.height > 0));
        // The last record before one of an inner node takes its place.
        let before = inner.map(|_| self.extend_to_last(md, &mut path)).transpose()?;
        self.visit_neighbours(md, &path)?;
        self.shadow_path(md, &mut path)?;
        if let (Some(record), Some(step)) = (before, inner.and_then(|at| path.get(at))) {
            self.set_record(md, step, &record)?;
        }
        let depth = path.first().map_or(0, |root| root.height);
        let Some((leaf, above)) = path.split_last() else { return Ok(None) };
        let mut below = self.remove_from_leaf(md, leaf)?;
        for step in above.iter().rev() {
            let (_, least) = self.shape.limits(step.height.saturating_sub(1)).unwrap_or((0, 0));
            below = if below.records >= least {
                self.set_child(md, step, &below)?;
                let total = step.pointer.total.saturating_sub(1);
                BTreeV2Child { total, ..step.pointer }
            } else {
                self.refill(md, step, below)?
            };
        }
        self.lower(md, below, depth)?;
        Ok(Some(found))
    }

    /// Reads the neighbours that nodes of a path may have to join, before anything is changed.
    fn visit_neighbours(&self, md: &Metadata, path: &[Step]) -> Result<()> {
        for (step, below) in path.iter().zip(path.iter().skip(1)) {
            let (_, least) = self.shape.limits(below.height).unwrap_or((0, 0));
            if below.pointer.records > least {
                continue;
            }
            let node = self.node(md, step.pointer, step.height)?;
            let at = step.index.saturating_sub(1);
            for child in node.children.iter().skip(at).take(2) {
                self.node(md, *child, below.height)?;
            }
        }
        Ok(())
    }

    /// Follows a way from its last step to the last record of all before that step's record.
    fn extend_to_last(&self, md: &Metadata, path: &mut Steps) -> Result<Vec<u8>> {
        while let Some(step) = path.last().copied()
            && let Some(height) = step.height.checked_sub(1)
        {
            let at = (step.pointer.records, step.height);
            let bytes = self.bytes(md, step.pointer, step.height)?;
            let pointer = self.shape.child(&bytes, at, step.index, md.widths())?;
            let records = to_usize(pointer.records)?;
            let index = if height == 0 { records.saturating_sub(1) } else { records };
            path.push(Step { pointer, height, index });
        }
        let empty = || Error::malformed("a B-tree node has no records");
        let leaf = path.last().ok_or_else(empty)?;
        let bytes = self.bytes(md, leaf.pointer, 0)?;
        self.record(&bytes, leaf.index)
            .filter(|_| leaf.pointer.records > 0)
            .map(<[u8]>::to_vec)
            .ok_or_else(empty)
    }

    fn remove_from_leaf(&self, md: &Metadata, leaf: &Step) -> Result<BTreeV2Child> {
        let records = leaf.pointer.records.saturating_sub(1);
        let (at, end) =
            (self.shape.record_at(leaf.index), self.shape.record_at(to_usize(leaf.pointer.records)?));
        self.edit(md, (leaf.pointer, 0), records, |bytes| {
            let room = bytes.get_mut(at..end);
            let room = room.ok_or_else(|| Error::malformed("a B-tree leaf has more records than room"))?;
            room.copy_within(self.shape.record_size.min(room.len()).., 0);
            Ok(())
        })?;
        Ok(BTreeV2Child { records, total: records, ..leaf.pointer })
    }

    /// Joins the child a step follows with a neighbour, as one node or as two of about the same size.
    fn refill(&self, md: &Metadata, step: &Step, below: BTreeV2Child) -> Result<BTreeV2Child> {
        let address = address_of(step.pointer)?;
        let height = step.height.saturating_sub(1);
        let (capacity, _) = self.shape.limits(height).unwrap_or((0, 0));
        let mut parent = self.node(md, step.pointer, step.height)?.as_ref().clone();
        let at = step.index.saturating_sub(1);
        let missing = || Error::malformed("a B-tree node has fewer children than records");
        let neighbour = |index: usize| {
            let pointer = if index == step.index { Some(below) } else { parent.children.get(index).copied() };
            pointer.ok_or_else(missing)
        };
        let (left_at, right_at) = (neighbour(at)?, neighbour(at.saturating_add(1))?);
        let mut left = self.node(md, left_at, height)?.as_ref().clone();
        let right = self.node(md, right_at, height)?;
        left.records.extend_from_slice(parent.record(at).ok_or_else(missing)?);
        left.records.extend_from_slice(&right.records);
        left.children.extend_from_slice(&right.children);
        let size = self.shape.record_size;
        let record_at = at.saturating_mul(size);
        let place = record_at..record_at.saturating_add(size);
        if left.len() as u64 <= capacity {
            self.release(md, right_at)?;
            parent.children.remove(at.saturating_add(1));
            parent.records.drain(place);
        } else {
            let half = left.len() / 2;
            let (record, right) = self.cut(&mut left, half);
            parent.records.splice(place, record);
            let right_address = self.shadow(md, right_at, height)?;
            self.put(md, right_address, &right, height)?;
            if let Some(child) = parent.children.get_mut(at.saturating_add(1)) {
                *child = Self::pointer_to(right_address, &right);
            }
        }
        let left_address = self.shadow(md, left_at, height)?;
        self.put(md, left_address, &left, height)?;
        if let Some(child) = parent.children.get_mut(at) {
            *child = Self::pointer_to(left_address, &left);
        }
        // Left without records only when it is the root or about to be joined itself.
        self.put(md, address, &parent, step.height)?;
        Ok(Self::pointer_to(address, &parent))
    }

    /// Stores the root, or its only child in its place.
    fn lower(&self, md: &Metadata, root: BTreeV2Child, depth: u16) -> Result<()> {
        if root.records > 0 {
            return self.set_root(md, root, depth);
        }
        let Some(below) = depth.checked_sub(1) else {
            self.release(md, root)?;
            return self.set_root(md, BTreeV2Child { address: None, ..root }, 0);
        };
        let child = self.node(md, root, depth)?.children.first().copied();
        let child = child.ok_or_else(|| Error::malformed("a B-tree node has no children"))?;
        self.release(md, root)?;
        self.set_root(md, child, below)
    }
}
