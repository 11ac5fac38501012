//! Adding records: a leaf takes them, and what is full is split from below.

use crate::error::{Error, Result, to_usize};
use crate::format::btree_v2::{BTreeV2Child, BTreeV2Node};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Compare, Step};

/// What became of the node below.
enum Below {
    Changed(BTreeV2Child),
    Split { left: BTreeV2Child, record: Vec<u8>, right: BTreeV2Child },
}

impl BTreeV2 {
    /// Adds a record; `compare` says how a record of the tree is to the new one.
    ///
    /// # Errors
    /// `Usage` when it finds one equal.
    pub(crate) fn insert(&self, md: &Metadata, record: &[u8], compare: &mut Compare<'_>) -> Result<()> {
        let (mut path, found) = self.path(md, compare)?;
        if found.is_some() {
            return Err(Error::usage("the record is already in the B-tree"));
        }
        self.insert_at(md, &mut path, record)
    }

    /// Adds a record, in place of the one that `compare` finds equal if there is one.
    pub(crate) fn put_record(&self, md: &Metadata, record: &[u8], compare: &mut Compare<'_>) -> Result<()> {
        let (mut path, found) = self.path(md, compare)?;
        match found {
            Some(old) if old.len() == record.len() => self.set_record_of(md, &mut path, record),
            _ => self.insert_at(md, &mut path, record),
        }
    }

    fn insert_at(&self, md: &Metadata, path: &mut [Step], record: &[u8]) -> Result<()> {
        if record.len() != self.shape.record_size {
            return Err(Error::usage(format!(
                "a record of {} bytes in a B-tree of records of {}",
                record.len(),
                self.shape.record_size
            )));
        }
        self.shadow_path(md, path)?;
        let Some((leaf, above)) = path.split_last() else {
            let node = BTreeV2Node::new(&self.shape, record.to_vec(), Vec::new());
            return self.set_root(md, self.add_node(md, &node, 0)?, 0);
        };
        let mut below = self.insert_into_leaf(md, leaf, record, above)?;
        for step in above.iter().rev() {
            below = match below {
                Below::Changed(child) => {
                    self.set_child(md, step, &child)?;
                    let total = step.pointer.total.saturating_add(1);
                    Below::Changed(BTreeV2Child { total, ..step.pointer })
                }
                Below::Split { left, record, right } => {
                    let mut node = self.node(md, step.pointer, step.height)?.as_ref().clone();
                    splice(&mut node, step.index, &record, self.shape.record_size);
                    if let Some(child) = node.children.get_mut(step.index) {
                        *child = left;
                    }
                    node.children.insert(step.index.saturating_add(1), right);
                    self.store(md, (step.pointer, step.height), node, false)?
                }
            };
        }
        let depth = path.first().map_or(0, |root| root.height);
        match below {
            Below::Changed(root) => self.set_root(md, root, depth),
            Below::Split { left, record, right } => {
                let depth = depth.saturating_add(1);
                if self.shape.limits(depth).is_none() {
                    return Err(Error::limit(format!("a B-tree of {depth} levels above the leaves")));
                }
                let node = BTreeV2Node::new(&self.shape, record, vec![left, right]);
                self.set_root(md, self.add_node(md, &node, depth)?, depth)
            }
        }
    }

    fn insert_into_leaf(&self, md: &Metadata, leaf: &Step, record: &[u8], above: &[Step]) -> Result<Below> {
        let (capacity, _) = self.shape.limits(0).unwrap_or((0, 0));
        let records = leaf.pointer.records;
        if records >= capacity {
            let mut node = self.node(md, leaf.pointer, 0)?.as_ref().clone();
            splice(&mut node, leaf.index, record, self.shape.record_size);
            let last = above.iter().all(|step| step.index as u64 == step.pointer.records);
            let appended = last && leaf.index as u64 == records;
            return self.store(md, (leaf.pointer, 0), node, appended);
        }
        let grown = records.saturating_add(1);
        let (at, end) = (self.shape.record_at(leaf.index), self.shape.record_at(to_usize(records)?));
        self.edit(md, (leaf.pointer, 0), grown, |bytes| {
            let after = end.saturating_add(record.len());
            let room = bytes.get_mut(at..after);
            let room = room.ok_or_else(|| Error::malformed("a B-tree leaf has more records than room"))?;
            room.copy_within(..end.saturating_sub(at), record.len());
            room.get_mut(..record.len()).unwrap_or_default().copy_from_slice(record);
            Ok(())
        })?;
        Ok(Below::Changed(BTreeV2Child { records: grown, total: grown, ..leaf.pointer }))
    }

    /// Stages a node that grew, as two when it has too many records.
    ///
    /// After an append the left one keeps all it may, as records that ascend will fill the right one.
    fn store(
        &self,
        md: &Metadata,
        (pointer, height): (BTreeV2Child, u16),
        mut node: BTreeV2Node,
        appended: bool,
    ) -> Result<Below> {
        let address = super::address_of(pointer)?;
        let (capacity, least) = self.shape.limits(height).unwrap_or((0, 0));
        if node.len() as u64 <= capacity {
            self.put(md, address, &node, height)?;
            return Ok(Below::Changed(Self::pointer_to(address, &node)));
        }
        if capacity < 2 {
            return Err(Error::unsupported("B-tree nodes of one record cannot be split"));
        }
        let right = if appended { least } else { capacity / 2 };
        let kept = node.len().saturating_sub(to_usize(right)?).saturating_sub(1);
        let (record, right) = self.cut(&mut node, kept);
        self.put(md, address, &node, height)?;
        let right = self.add_node(md, &right, height)?;
        Ok(Below::Split { left: Self::pointer_to(address, &node), record, right })
    }

    /// Keeps the first records of a node and gives the next one and a node of all that follow.
    pub(super) fn cut(&self, node: &mut BTreeV2Node, kept: usize) -> (Vec<u8>, BTreeV2Node) {
        let size = self.shape.record_size;
        let at = kept.saturating_mul(size).min(node.records.len());
        let mut record = node.records.split_off(at);
        let records = record.split_off(size.min(record.len()));
        let children = kept.saturating_add(1).min(node.children.len());
        let children = node.children.split_off(children);
        (record, BTreeV2Node::new(&self.shape, records, children))
    }

    fn add_node(&self, md: &Metadata, node: &BTreeV2Node, height: u16) -> Result<BTreeV2Child> {
        let address = md.allocate(self.shape.node_size)?;
        self.put(md, address, node, height)?;
        Ok(Self::pointer_to(address, node))
    }
}

fn splice(node: &mut BTreeV2Node, index: usize, record: &[u8], size: usize) {
    let at = index.saturating_mul(size).min(node.records.len());
    node.records.splice(at..at, record.iter().copied());
}
