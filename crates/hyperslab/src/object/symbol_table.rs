//! The links of old groups: a version-1 B-tree over symbol table nodes, names in a local heap.
//!
//! Spec: III.B "Group Symbol Table Nodes".

pub(crate) mod write;

use crate::error::{Place, Result};
use crate::format::btree_v1::{BTreeV1Node, TreeKind};
use crate::format::bytes::{Address, Cursor, little_endian};
use crate::format::symbol_table::{SymbolEntry, SymbolTableNode};
use crate::metadata::Metadata;
use crate::metadata::btree_v1::{BTreeV1, Walk};
use crate::object::local_heap::LocalHeap;
use std::cmp::Ordering;

/// Entries of a node of default size; larger ones take a second read.
const USUAL_ENTRIES: usize = 8;

/// Calls `found` with name and entry of every link, in the order of their names.
pub(crate) fn for_each(
    md: &Metadata,
    btree: Address,
    heap: Address,
    found: &mut dyn FnMut(&[u8], SymbolEntry) -> Result<()>,
) -> Result<()> {
    let heap = LocalHeap::open(md, heap)?;
    tree(md, btree).walk(md, &mut Links { md, heap: &heap, found })
}

/// The link called `name`, if there is one.
pub(crate) fn find(md: &Metadata, btree: Address, heap: Address, name: &[u8]) -> Result<Option<SymbolEntry>> {
    let heap = LocalHeap::open(md, heap)?;
    let leaf = tree(md, btree).descend(md, &mut |node| child_for(node, &heap, name))?;
    let Some(address) = leaf.and_then(|(leaf, index)| leaf.child(index)) else { return Ok(None) };
    let mut entries = load(md, address)?.entries;
    let found = search(entries.len(), |index| {
        entries.get(index).map_or(Ok(Ordering::Greater), |entry| Ok(heap.name(entry.name.0)?.cmp(name)))
    })?;
    match entries.get(found) {
        Some(entry) if heap.name(entry.name.0)? == name => Ok(Some(entries.swap_remove(found))),
        _ => Ok(None),
    }
}

fn tree(md: &Metadata, btree: Address) -> BTreeV1 {
    BTreeV1::new(btree, TreeKind::Group, usize::from(md.widths().lengths))
}

/// The first child whose names end at or after `name`: key n + 1 is the last name of child n.
fn child_for(node: &BTreeV1Node, heap: &LocalHeap, name: &[u8]) -> Result<Option<usize>> {
    let child = search(node.entries(), |index| {
        let key = node.key(index.saturating_add(1)).map_or(0, little_endian);
        Ok(heap.name(key)?.cmp(name))
    })?;
    Ok((child < node.entries()).then_some(child))
}

/// The first of `count` items that is not less than what is sought.
fn search(count: usize, compare: impl Fn(usize) -> Result<Ordering>) -> Result<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if compare(middle)? == Ordering::Less {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn load(md: &Metadata, address: Address) -> Result<SymbolTableNode> {
    let place = || format!("symbol table node at {address}");
    let size = |entries: usize| {
        SymbolTableNode::HEAD.saturating_add(entries.saturating_mul(SymbolEntry::size(md.widths())))
    };
    let mut bytes = md.read_up_to(address, size(USUAL_ENTRIES)).at(place)?;
    let entries = SymbolTableNode::read_head(&mut Cursor::new(&bytes, md.widths())).at(place)?;
    if usize::from(entries) > USUAL_ENTRIES {
        bytes = md.read(address, size(entries.into())).at(place)?;
    }
    crate::format::bytes::Wire::read(&mut Cursor::new(&bytes, md.widths())).at(place)
}

struct Links<'a> {
    md: &'a Metadata,
    heap: &'a LocalHeap,
    found: &'a mut dyn FnMut(&[u8], SymbolEntry) -> Result<()>,
}

impl Walk for Links<'_> {
    fn wants(&mut self, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn found(&mut self, _: &[u8], child: Option<Address>, _: &[u8]) -> Result<()> {
        let Some(address) = child else { return Ok(()) };
        for entry in load(self.md, address)?.entries {
            (self.found)(self.heap.name(entry.name.0)?, entry)?;
        }
        Ok(())
    }
}
