//! [`BTreeV2`]: finds and walks the records of a version-2 B-tree without knowing what they mean.

use crate::error::{Error, Place, Result};
use crate::format::btree_v2::{BTreeV2Child, BTreeV2Header, BTreeV2Node, BTreeV2Shape};
use crate::format::bytes::{Address, Cursor};
use crate::metadata::Metadata;
use crate::metadata::cache::Cache;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of decoded nodes one tree keeps.
const CACHED: usize = 8 << 20;

/// A version-2 B-tree.
#[derive(Debug)]
pub(crate) struct BTreeV2 {
    header: BTreeV2Header,
    shape: BTreeV2Shape,
    nodes: Cache<BTreeV2Node>,
}

/// What a walk asks and tells.
pub(crate) trait Walk {
    /// Whether any record between these two is wanted; without one there is no bound on that side.
    fn wants(&mut self, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<bool>;
    /// A record, in order; not every one was wanted.
    fn found(&mut self, record: &[u8]) -> Result<()>;
}

impl BTreeV2 {
    /// The tree whose header is at `address`.
    pub(crate) fn open(md: &Metadata, address: Address) -> Result<Self> {
        let place = || format!("B-tree header at {address}");
        let header: BTreeV2Header = md.load(address, BTreeV2Header::size(md.widths())).at(place)?;
        let shape = BTreeV2Shape::new(&header, md.widths()).at(place)?;
        if header.root.is_some_and(|root| root.0.saturating_add(shape.node_size as u64) > md.end()) {
            let message = format!("its root of {} bytes does not fit the file", shape.node_size);
            return Err(Error::malformed(message).at(place()));
        }
        // Records do not overlap, so this bounds every walk, whatever the pointers say.
        if header.records.0 > md.end() / (shape.record_size.max(1) as u64) {
            return Err(
                Error::malformed(format!("{} records do not fit the file", header.records.0)).at(place())
            );
        }
        Ok(Self { header, shape, nodes: Cache::new(CACHED) })
    }

    /// What the records are, from 1 to 11.
    pub(crate) fn kind(&self) -> u8 {
        self.header.kind
    }

    /// Bytes of a record.
    pub(crate) fn record_size(&self) -> usize {
        self.shape.record_size
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> u64 {
        self.header.records.0
    }

    fn root(&self) -> BTreeV2Child {
        let records = u64::from(self.header.root_records);
        BTreeV2Child { address: self.header.root, records, total: self.header.records.0 }
    }

    /// A record that `compare` finds equal; it says how a record is to what is sought.
    pub(crate) fn find(
        &self,
        md: &Metadata,
        compare: &mut dyn FnMut(&[u8]) -> Result<Ordering>,
    ) -> Result<Option<Vec<u8>>> {
        let mut pointer = self.root();
        for height in (0..=self.header.depth).rev() {
            if pointer.records == 0 {
                return Ok(None);
            }
            let node = self.node(md, pointer, height, true)?;
            let (mut low, mut high) = (0, node.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                let Some(record) = node.record(middle) else { return Ok(None) };
                match compare(record)? {
                    Ordering::Equal => return Ok(Some(record.to_vec())),
                    Ordering::Less => low = middle + 1,
                    Ordering::Greater => high = middle,
                }
            }
            match node.children.get(low) {
                Some(child) => pointer = *child,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Walks the records of the wanted parts in order.
    pub(crate) fn walk(&self, md: &Metadata, walk: &mut dyn Walk) -> Result<()> {
        let root = self.root();
        if root.records == 0 || !walk.wants(None, None)? {
            return Ok(());
        }
        let mut budget = self.header.records.0;
        self.walk_node(md, (root, self.header.depth), (None, None), walk, &mut budget)
    }

    fn walk_node(
        &self,
        md: &Metadata,
        (pointer, height): (BTreeV2Child, u16),
        (low, high): (Option<&[u8]>, Option<&[u8]>),
        walk: &mut dyn Walk,
        budget: &mut u64,
    ) -> Result<()> {
        let node = self.node(md, pointer, height, false)?;
        *budget = budget.checked_sub(pointer.records).filter(|_| pointer.records > 0).ok_or_else(|| {
            Error::malformed("the nodes of a B-tree do not have the records its header counts")
        })?;
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

    fn node(
        &self,
        md: &Metadata,
        pointer: BTreeV2Child,
        height: u16,
        keep: bool,
    ) -> Result<Arc<BTreeV2Node>> {
        let address = pointer.address.ok_or_else(|| Error::malformed("B-tree node has no address"))?;
        // A node reached by two pointers that disagree about it is read again.
        if let Some(node) = self.nodes.get(address.0)
            && node.len() as u64 == pointer.records
            && node.children.is_empty() == (height == 0)
        {
            return Ok(node);
        }
        let place = || format!("B-tree node at {address}");
        let size = self.shape.used(pointer.records, height, md.widths()).at(place)?;
        let bytes = md.read(address, size).at(place)?;
        let mut cursor = Cursor::new(&bytes, md.widths());
        let node = Arc::new(BTreeV2Node::read(&mut cursor, &self.shape, pointer.records, height).at(place)?);
        if keep {
            self.nodes.keep(address.0, &node, node.weight());
        } else {
            self.nodes.offer(address.0, &node, node.weight());
        }
        Ok(node)
    }
}
