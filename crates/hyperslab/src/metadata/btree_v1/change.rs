//! Changes of version-1 B-trees. Nodes have one size and no checksum, so most happen in place.

use crate::error::{Error, Place, Result};
use crate::format::btree_v1::{BTreeV1Node, TreeKind};
use crate::format::bytes::{Address, Cursor, Sink, little_endian};
use crate::metadata::Metadata;
use crate::metadata::btree_v1::{BTreeV1, child_of};
use crate::metadata::stage::{Seal, Stage};

/// No tree is deeper: with two children to a node, all addresses are below fewer levels.
const DEEPEST: u8 = 64;

/// One node on the way from the root.
#[derive(Clone, Copy, Debug)]
struct Step {
    address: Address,
    level: u8,
    entries: usize,
    left: Option<Address>,
    right: Option<Address>,
    index: usize,
}

/// The way from the root to a child of a leaf.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// Root first; never empty.
    steps: Vec<Step>,
    leaf: BTreeV1Node,
    index: usize,
}

impl Path {
    /// Whether the tree has no children at all, so the way leads nowhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaf.entries() == 0
    }

    /// The leaf the way leads to.
    pub(crate) fn leaf(&self) -> &BTreeV1Node {
        &self.leaf
    }

    /// Which child of the leaf the way leads to.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The child the way leads to.
    pub(crate) fn child(&self) -> Option<Address> {
        self.leaf.child(self.index)
    }
}

impl BTreeV1 {
    /// A new tree without children.
    pub(crate) fn create(md: &Metadata, kind: TreeKind, key_width: usize) -> Result<Self> {
        let tree = Self::new(md.allocate(Self::size_of_nodes(md, kind, key_width))?, kind, key_width);
        let node = tree.fresh(md, 0, vec![0; key_width]);
        tree.put(md, tree.root, &node)?;
        Ok(tree)
    }

    /// Where the root is, for good.
    pub(crate) fn root(&self) -> Address {
        self.root
    }

    /// The way to the children that `choose` takes of each node; it is not asked in an empty tree.
    pub(crate) fn path(
        &self,
        md: &Metadata,
        choose: &mut dyn FnMut(&BTreeV1Node) -> Result<usize>,
    ) -> Result<Path> {
        let mut steps: Vec<Step> = Vec::with_capacity(6);
        let mut address = self.root;
        loop {
            let leaf = self.current(md, address, steps.last().map(|step| step.level))?;
            let empty = leaf.entries() == 0;
            if empty && leaf.level > 0 {
                return Err(Error::malformed(format!("B-tree node at {address}: has no children")));
            }
            let index = if empty { 0 } else { choose(&leaf)? };
            steps.push(Step {
                address,
                level: leaf.level,
                entries: leaf.entries(),
                left: leaf.left,
                right: leaf.right,
                index,
            });
            if leaf.level == 0 {
                return Ok(Path { steps, leaf, index });
            }
            address = child_of(&leaf, index)?;
        }
    }

    /// Puts the first child into an empty tree.
    pub(crate) fn first(&self, md: &Metadata, low: &[u8], child: Address, high: &[u8]) -> Result<()> {
        let body = [low, &Self::address_bytes(md, child)?, high].concat();
        let node = self.fresh(md, 0, body);
        self.put(md, self.root, &node)
    }

    /// Puts a child where child `at` of the leaf is, up to one beyond its last.
    ///
    /// `key` becomes the key before it, and the one that was there the key after it.
    pub(crate) fn insert(
        &self,
        md: &Metadata,
        path: &Path,
        at: usize,
        key: &[u8],
        child: Address,
    ) -> Result<()> {
        if at == 0
            && let Some((leaf, above)) = path.steps.split_last()
        {
            self.spread_left(md, above, leaf.left, key)?;
        }
        let mut at = at;
        let mut pair = [key, &Self::address_bytes(md, child)?].concat();
        let mut steps = path.steps.iter().rev().peekable();
        while let Some(step) = steps.next() {
            if step.entries < self.capacity(md) {
                return self.insert_in_place(md, step, at, &pair);
            }
            let mut node = self.current(md, step.address, None)?;
            node.insert(at, &pair);
            // What is appended keeps nodes full.
            let appended = at == step.entries && step.right.is_none();
            let kept = if appended { step.entries } else { node.entries() / 2 };
            let mut right = node.split_off(kept);
            let right_address = md.allocate(self.node_size(md))?;
            let Some(above) = steps.peek() else { return self.split_root(md, node, right, right_address) };
            if let Some(neighbour) = step.right {
                self.edit_neighbour(md, neighbour, step.level, |node| node.set_left(Some(right_address)))?;
            }
            (node.right, right.left, right.right) = (Some(right_address), Some(step.address), step.right);
            self.put(md, right_address, &right)?;
            self.put(md, step.address, &node)?;
            let key = right.key(0).unwrap_or_default();
            pair = [key, &Self::address_bytes(md, right_address)?].concat();
            at = above.index.saturating_add(1);
        }
        Ok(())
    }

    /// The root stays where it is and its children move.
    fn split_root(
        &self,
        md: &Metadata,
        mut left: BTreeV1Node,
        mut right: BTreeV1Node,
        right_address: Address,
    ) -> Result<()> {
        let level = left.level.saturating_add(1);
        if level > DEEPEST {
            return Err(Error::malformed(format!("B-tree of {level} levels, at most {DEEPEST} expected")));
        }
        let left_address = md.allocate(self.node_size(md))?;
        (left.right, right.left) = (Some(right_address), Some(left_address));
        let key = |node: &BTreeV1Node, at: usize| node.key(at).unwrap_or_default().to_vec();
        let (first, second) =
            (Self::address_bytes(md, left_address)?, Self::address_bytes(md, right_address)?);
        let last = right.last_key().unwrap_or_default();
        let body = [&*key(&left, 0), &first, &key(&right, 0), &second, last].concat();
        self.put(md, left_address, &left)?;
        self.put(md, right_address, &right)?;
        self.put(md, self.root, &self.fresh(md, level, body))
    }

    fn insert_in_place(&self, md: &Metadata, step: &Step, at: usize, pair: &[u8]) -> Result<()> {
        self.edit(md, step.address, step.level, |node| {
            let (from, end) = (node.key_at(at), node.key_at(step.entries).saturating_add(self.key_width));
            let room = node.slice(from, end.saturating_add(pair.len()))?;
            room.copy_within(..end.saturating_sub(from), pair.len());
            room.get_mut(..pair.len()).unwrap_or_default().copy_from_slice(pair);
            node.set_entries(step.entries.saturating_add(1))
        })
    }

    /// Replaces key `at` of the leaf, up to its last, and the same key in the nodes that share it.
    pub(crate) fn set_key(&self, md: &Metadata, path: &Path, at: usize, key: &[u8]) -> Result<()> {
        let Some((leaf, above)) = path.steps.split_last() else { return Ok(()) };
        self.edit(md, leaf.address, leaf.level, |node| node.set_key(at, key))?;
        if at == 0 {
            self.spread_left(md, above, leaf.left, key)?;
        }
        if at == leaf.entries {
            self.spread_right(md, above, leaf.right, key)?;
        }
        Ok(())
    }

    /// Raises the last key of the leaf, to add a child before it: to `key`, or to where its neighbour begins.
    pub(crate) fn raise(&self, md: &Metadata, path: &Path, key: &[u8]) -> Result<()> {
        let Some(right) = path.leaf.right else { return self.set_key(md, path, path.leaf.entries(), key) };
        let neighbour = self.current(md, right, path.leaf.level.checked_add(1))?;
        let Some(leaf) = path.steps.last() else { return Ok(()) };
        let key = neighbour.key(0).unwrap_or_default();
        self.edit(md, leaf.address, leaf.level, |node| node.set_key(leaf.entries, key))
    }

    /// Replaces the child the way leads to.
    pub(crate) fn set_child(&self, md: &Metadata, path: &Path, child: Address) -> Result<()> {
        let Some(leaf) = path.steps.last() else { return Ok(()) };
        let bytes = Self::address_bytes(md, child)?;
        self.edit(md, leaf.address, leaf.level, |node| {
            let at = node.key_at(leaf.index).saturating_add(self.key_width);
            node.slice(at, at.saturating_add(bytes.len()))?.copy_from_slice(&bytes);
            Ok(())
        })
    }

    /// Removes the child the way leads to: with the key before it from a chunk tree, with the key after
    /// it from a group's.
    pub(crate) fn remove(&self, md: &Metadata, path: &Path) -> Result<()> {
        let before = self.kind == TreeKind::Chunk;
        let mut steps = path.steps.as_slice();
        while let Some((step, above)) = steps.split_last() {
            if step.entries > 1 {
                return self.remove_in_place(md, step, above);
            }
            if above.is_empty() {
                let node = self.fresh(md, 0, vec![0; self.key_width]);
                return self.put(md, self.root, &node);
            }
            let node = self.current(md, step.address, None)?;
            let (low, high) = (node.key(0).unwrap_or_default(), node.last_key().unwrap_or_default());
            if let Some(left) = step.left {
                self.edit_neighbour(md, left, step.level, |node| {
                    node.set_right(step.right)?;
                    if before { node.set_last_key(high) } else { Ok(()) }
                })?;
            }
            if let Some(right) = step.right {
                self.edit_neighbour(md, right, step.level, |node| {
                    node.set_left(step.left)?;
                    if before { Ok(()) } else { node.set_key(0, low) }
                })?;
            }
            md.free(step.address, self.node_size(md) as u64)?;
            steps = above;
        }
        Ok(())
    }

    fn remove_in_place(&self, md: &Metadata, step: &Step, above: &[Step]) -> Result<()> {
        let before = self.kind == TreeKind::Chunk;
        let left = step.entries.saturating_sub(1);
        let key = self.edit(md, step.address, step.level, |node| {
            let from = node.key_at(step.index).saturating_add(if before { 0 } else { self.key_width });
            let end = node.key_at(step.entries).saturating_add(self.key_width);
            let pair = node.key_at(1).saturating_sub(node.key_at(0));
            let room = node.slice(from, end)?;
            room.copy_within(pair.min(room.len()).., 0);
            node.set_entries(left)?;
            let start = node.key_at(if before { 0 } else { left });
            Ok(node.slice(start, start.saturating_add(self.key_width))?.to_vec())
        })?;
        match before {
            true if step.index == 0 => self.spread_left(md, above, step.left, &key),
            false if step.index == left => self.spread_right(md, above, step.right, &key),
            _ => Ok(()),
        }
    }

    /// Frees all nodes.
    pub(crate) fn delete(&self, md: &Metadata) -> Result<()> {
        let mut budget = md.end() / (BTreeV1Node::header_size(md.widths()) as u64) + 1;
        self.free_node(md, self.root, None, &mut budget)
    }

    fn free_node(&self, md: &Metadata, address: Address, above: Option<u8>, budget: &mut u64) -> Result<()> {
        *budget = budget
            .checked_sub(1)
            .ok_or_else(|| Error::malformed("B-tree has more nodes than the file has room for"))?;
        let node = self.node(md, address, above)?;
        if node.level > 0 {
            for index in 0..node.entries() {
                self.free_node(md, child_of(&node, index)?, Some(node.level), budget)?;
            }
        }
        md.free(address, self.node_size(md) as u64)
    }

    /// A leaf or node begins with another key: its left neighbour ends with it, nodes above know it.
    fn spread_left(&self, md: &Metadata, above: &[Step], left: Option<Address>, key: &[u8]) -> Result<()> {
        let (mut neighbour, mut level) = (left, 0_u8);
        for step in above.iter().rev() {
            level = step.level.saturating_sub(1);
            if let Some(left) = neighbour {
                self.edit_neighbour(md, left, level, |node| node.set_last_key(key))?;
            }
            self.edit(md, step.address, step.level, |node| node.set_key(step.index, key))?;
            if step.index > 0 {
                return Ok(());
            }
            (neighbour, level) = (step.left, step.level);
        }
        match neighbour {
            Some(left) => self.edit_neighbour(md, left, level, |node| node.set_last_key(key)),
            None => Ok(()),
        }
    }

    /// A leaf or node ends with another key.
    fn spread_right(&self, md: &Metadata, above: &[Step], right: Option<Address>, key: &[u8]) -> Result<()> {
        let (mut neighbour, mut level) = (right, 0_u8);
        for step in above.iter().rev() {
            level = step.level.saturating_sub(1);
            if let Some(right) = neighbour {
                self.edit_neighbour(md, right, level, |node| node.set_key(0, key))?;
            }
            let at = step.index.saturating_add(1);
            self.edit(md, step.address, step.level, |node| node.set_key(at, key))?;
            if at < step.entries {
                return Ok(());
            }
            (neighbour, level) = (step.right, step.level);
        }
        match neighbour {
            Some(right) => self.edit_neighbour(md, right, level, |node| node.set_key(0, key)),
            None => Ok(()),
        }
    }

    /// The most children of a node.
    fn capacity(&self, md: &Metadata) -> usize {
        Self::capacity_of(md, self.kind)
    }

    fn capacity_of(md: &Metadata, kind: TreeKind) -> usize {
        let k = match kind {
            TreeKind::Group => md.tree_k().group,
            TreeKind::Chunk => md.tree_k().chunk,
        };
        usize::from(k.max(1)).saturating_mul(2)
    }

    fn size_of_nodes(md: &Metadata, kind: TreeKind, key_width: usize) -> usize {
        BTreeV1Node::size(Self::capacity_of(md, kind), key_width, md.widths())
    }

    /// Bytes of a node.
    fn node_size(&self, md: &Metadata) -> usize {
        Self::size_of_nodes(md, self.kind, self.key_width)
    }

    /// A node without neighbours.
    fn fresh(&self, md: &Metadata, level: u8, body: Vec<u8>) -> BTreeV1Node {
        BTreeV1Node::new((self.kind, level), (None, None), self.key_width, md.widths(), body)
    }

    /// A node as it is now, to be changed.
    fn current(&self, md: &Metadata, address: Address, above: Option<u8>) -> Result<BTreeV1Node> {
        let Some(bytes) = md.staged(address, self.node_size(md)) else {
            let node = self.node(md, address, above)?;
            let (entries, most) = (node.entries(), self.capacity(md));
            if entries > most {
                let message = format!("has {entries} children, at most {most} expected");
                return Err(Error::malformed(message).at(format!("B-tree node at {address}")));
            }
            return Ok(node.as_ref().clone());
        };
        let place = || format!("B-tree node at {address}");
        let mut cursor = Cursor::new(&bytes, md.widths());
        let node = BTreeV1Node::read(&mut cursor, self.kind, self.key_width).at(place)?;
        match above {
            Some(above) if node.level.checked_add(1) != Some(above) => {
                Err(Error::malformed(format!("level is {} below level {above}", node.level)).at(place()))
            }
            _ => Ok(node),
        }
    }

    fn put(&self, md: &Metadata, address: Address, node: &BTreeV1Node) -> Result<()> {
        let mut sink = Sink::new(md.widths());
        node.write(&mut sink)?;
        let mut bytes = sink.into_bytes();
        bytes.resize(self.node_size(md), 0);
        md.put(stage_of(node.level), address, bytes)
    }

    fn edit<R>(
        &self,
        md: &Metadata,
        address: Address,
        level: u8,
        change: impl FnOnce(&mut NodeBytes<'_>) -> Result<R>,
    ) -> Result<R> {
        let address_width = usize::from(md.widths().offsets);
        let key_width = self.key_width;
        md.edit((stage_of(level), Seal::None), address, self.node_size(md), |bytes| {
            change(&mut NodeBytes { bytes, key_width, address_width })
        })
    }

    /// Changes a node that only its neighbour led to, once it is known to be one.
    fn edit_neighbour(
        &self,
        md: &Metadata,
        address: Address,
        level: u8,
        change: impl FnOnce(&mut NodeBytes<'_>) -> Result<()>,
    ) -> Result<()> {
        self.current(md, address, level.checked_add(1))?;
        self.edit(md, address, level, change)
    }

    fn address_bytes(md: &Metadata, address: Address) -> Result<Vec<u8>> {
        let mut sink = Sink::new(md.widths());
        sink.address(Some(address))?;
        Ok(sink.into_bytes())
    }
}

/// What leads to nodes reaches the file after them.
fn stage_of(level: u8) -> Stage {
    if level == 0 { Stage::Block } else { Stage::IndexBlock }
}

/// The whole bytes of a node.
struct NodeBytes<'a> {
    bytes: &'a mut [u8],
    key_width: usize,
    address_width: usize,
}

impl NodeBytes<'_> {
    fn slice(&mut self, from: usize, to: usize) -> Result<&mut [u8]> {
        let length = self.bytes.len();
        self.bytes
            .get_mut(from..to)
            .ok_or_else(|| Error::malformed(format!("bytes {from}..{to} of a B-tree node of {length}")))
    }

    fn key_at(&self, index: usize) -> usize {
        let head = self.address_width.saturating_mul(2).saturating_add(8);
        index.saturating_mul(self.key_width.saturating_add(self.address_width)).saturating_add(head)
    }

    fn set_key(&mut self, index: usize, key: &[u8]) -> Result<()> {
        let at = self.key_at(index);
        if key.len() != self.key_width {
            return Err(Error::usage(format!("a key of {} bytes, {} expected", key.len(), self.key_width)));
        }
        self.slice(at, at.saturating_add(key.len()))?.copy_from_slice(key);
        Ok(())
    }

    fn set_last_key(&mut self, key: &[u8]) -> Result<()> {
        let entries = little_endian(self.slice(6, 8)?);
        self.set_key(usize::try_from(entries).unwrap_or(usize::MAX), key)
    }

    fn set_entries(&mut self, entries: usize) -> Result<()> {
        let count =
            u16::try_from(entries).map_err(|_| Error::limit(format!("a node of {entries} children")))?;
        self.slice(6, 8)?.copy_from_slice(&count.to_le_bytes());
        Ok(())
    }

    fn set_left(&mut self, left: Option<Address>) -> Result<()> {
        self.set_address(8, left)
    }

    fn set_right(&mut self, right: Option<Address>) -> Result<()> {
        self.set_address(self.address_width.saturating_add(8), right)
    }

    fn set_address(&mut self, at: usize, address: Option<Address>) -> Result<()> {
        let bytes = address.map_or([0xff; 8], |address| address.0.to_le_bytes());
        let width = self.address_width;
        let value = bytes.get(..width).unwrap_or_default();
        self.slice(at, at.saturating_add(width))?.copy_from_slice(value);
        Ok(())
    }
}
