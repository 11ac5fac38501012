//! [`BTreeV1`]: a version-1 B-tree, without knowing what its keys mean.
//!
//! A node has `n` children between `n + 1` keys. Keys ascend, and what is below child `i` lies between
//! keys `i` and `i + 1`: in a chunk tree, key `i` is the first chunk below child `i`, and the last key of
//! all is beyond the last chunk; in a group's tree, key `i + 1` is the last name below child `i`, and the first
//! key of all is before the first name. Nodes of one level are linked to their neighbours, and neighbours
//! share the key between them, as do nodes and the node above.
//!
//! To change a tree: [`BTreeV1::path`] to a child of a leaf, then [`BTreeV1::insert`] a child beside it,
//! [`BTreeV1::remove`] it, [`BTreeV1::set_key`] or [`BTreeV1::set_child`]. A path is good for changes until children were
//! inserted or removed. The root stays where it is, whatever happens to the tree.

mod change;

pub(crate) use crate::metadata::btree_v1::change::Path;

use crate::error::{Error, Place, Result};
use crate::format::btree_v1::{BTreeV1Node, TreeKind};
use crate::format::bytes::{Address, Cursor};
use crate::metadata::Metadata;
use std::sync::Arc;

/// Children of a node of default size; larger ones take a second read.
const USUAL_ENTRIES: usize = 64;

/// A version-1 B-tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BTreeV1 {
    root: Address,
    kind: TreeKind,
    key_width: usize,
}

/// What a walk asks and tells.
pub(crate) trait Walk {
    /// Whether anything below the child between these two keys is wanted.
    fn wants(&mut self, low: &[u8], high: &[u8]) -> bool;
    /// A child of a leaf between these two keys; none when its address is undefined.
    fn found(&mut self, low: &[u8], child: Option<Address>, high: &[u8]) -> Result<()>;
    /// A leaf with children that may be wanted.
    fn leaf(&mut self, node: &BTreeV1Node) -> Result<()> {
        for index in 0..node.entries() {
            let (Some(low), Some(high)) = (node.key(index), node.key(index + 1)) else { break };
            if self.wants(low, high) {
                self.found(low, node.child(index), high)?;
            }
        }
        Ok(())
    }
}

/// Leaves that a walk leaves in memory for the next one; those of a long walk would push out everything else.
const LEAVES_KEPT: u64 = 1024;

impl BTreeV1 {
    pub(crate) fn new(root: Address, kind: TreeKind, key_width: usize) -> Self {
        Self { root, kind, key_width }
    }

    /// The leaf that `choose` leads to, with the chosen child; none where it chooses none.
    pub(crate) fn descend(
        &self,
        md: &Metadata,
        choose: &mut dyn FnMut(&BTreeV1Node) -> Result<Option<usize>>,
    ) -> Result<Option<(Arc<BTreeV1Node>, usize)>> {
        let mut node = self.node(md, self.root, None)?;
        loop {
            let Some(index) = choose(&node)? else { return Ok(None) };
            if node.level == 0 {
                return Ok(Some((node, index)));
            }
            let child = child_of(&node, index)?;
            node = self.node(md, child, Some(node.level))?;
        }
    }

    /// Walks the wanted children in order of their keys.
    pub(crate) fn walk(&self, md: &Metadata, walk: &mut dyn Walk) -> Result<()> {
        let root = self.node(md, self.root, None)?;
        if root.level == 0 {
            return walk.leaf(&root);
        }
        // Nodes do not overlap, so a file has room for only so many: more means a cycle.
        let budget = md.end() / (BTreeV1Node::header_size(md.widths()) as u64) + 1;
        self.walk_node(md, &root, walk, &mut (budget, LEAVES_KEPT))
    }

    fn walk_node(
        &self,
        md: &Metadata,
        node: &BTreeV1Node,
        walk: &mut dyn Walk,
        left: &mut (u64, u64),
    ) -> Result<()> {
        for index in 0..node.entries() {
            let (Some(low), Some(high)) = (node.key(index), node.key(index + 1)) else { break };
            if !walk.wants(low, high) {
                continue;
            }
            let (budget, kept) = &mut *left;
            *budget = budget
                .checked_sub(1)
                .ok_or_else(|| Error::malformed("B-tree has more nodes than the file has room for"))?;
            let address = child_of(node, index)?;
            if node.level > 1 {
                let child = self.node(md, address, Some(node.level))?;
                self.walk_node(md, &child, walk, left)?;
                continue;
            }
            let load = || self.loaded(md, address);
            let child = match kept.checked_sub(1) {
                Some(left) => {
                    *kept = left;
                    md.decoded(address, load)
                }
                None => md.decoded_once(address, load),
            };
            walk.leaf(&*below(child?, address, Some(node.level))?)?;
        }
        Ok(())
    }

    /// The node at `address`, one level below `above`.
    fn node(&self, md: &Metadata, address: Address, above: Option<u8>) -> Result<Arc<BTreeV1Node>> {
        below(md.decoded(address, || self.loaded(md, address))?, address, above)
    }

    fn loaded(&self, md: &Metadata, address: Address) -> Result<(BTreeV1Node, usize)> {
        let node = self.load(md, address).at(|| format!("B-tree node at {address}"))?;
        let weight = node.weight();
        Ok((node, weight))
    }

    fn load(&self, md: &Metadata, address: Address) -> Result<BTreeV1Node> {
        let widths = md.widths();
        let mut bytes = md.read_up_to(address, BTreeV1Node::size(USUAL_ENTRIES, self.key_width, widths))?;
        let entries = BTreeV1Node::entries_of(&bytes).unwrap_or(0);
        if entries > USUAL_ENTRIES {
            bytes = md.read(address, BTreeV1Node::size(entries, self.key_width, widths))?;
        }
        let node = BTreeV1Node::read(&mut Cursor::new(&bytes, widths), self.kind, self.key_width)?;
        // A search would find other chunks than a walk.
        if self.kind == TreeKind::Chunk && !node.chunks_ascend() {
            return Err(Error::malformed("its chunks are not in the order of their offsets"));
        }
        Ok(node)
    }
}

/// The node, if its level is that below `above`.
fn below(node: Arc<BTreeV1Node>, address: Address, above: Option<u8>) -> Result<Arc<BTreeV1Node>> {
    match above {
        Some(above) if node.level.checked_add(1) != Some(above) => Err(Error::malformed(format!(
            "B-tree node at {address}: level is {} below level {above}",
            node.level
        ))),
        _ => Ok(node),
    }
}

fn child_of(node: &BTreeV1Node, index: usize) -> Result<Address> {
    node.child(index).ok_or_else(|| Error::malformed(format!("B-tree node: child {index} has no address")))
}

#[cfg(test)]
mod tests;
