//! Adding and removing the links of old groups.

use super::{search, tree};
use crate::error::{Error, Result};
use crate::format::btree_v1::BTreeV1Node;
use crate::format::bytes::{Address, Cursor, Sink, Wire, little_endian};
use crate::format::message::link::{LinkMessage, LinkTarget};
use crate::format::symbol_table::{HeapOffset, SymbolEntry, SymbolTableNode};
use crate::metadata::Metadata;
use crate::metadata::btree_v1::{BTreeV1, Path};
use crate::metadata::stage::{Seal, Stage};
use crate::object::local_heap::{self, write::Names};
use std::cmp::Ordering;

/// What the scratch space of an entry has: the offset of a symbolic link's value.
const SOFT: u32 = 2;

/// A symbol table while it is changed.
struct Table<'a> {
    md: &'a Metadata,
    tree: BTreeV1,
    names: Names<'a>,
}

/// Adds a hard or soft link.
pub(crate) fn insert(md: &Metadata, (btree, heap): (Address, Address), link: &LinkMessage) -> Result<()> {
    Table::open(md, btree, heap)?.insert(link)
}

/// Removes a link; none when there is none of that name.
pub(crate) fn remove(
    md: &Metadata,
    (btree, heap): (Address, Address),
    name: &[u8],
) -> Result<Option<LinkMessage>> {
    Table::open(md, btree, heap)?.remove(name)
}

/// The link of that name, read without the whole heap.
pub(crate) fn find(
    md: &Metadata,
    (btree, heap): (Address, Address),
    name: &[u8],
) -> Result<Option<LinkMessage>> {
    let table = Table::open(md, btree, heap)?;
    let path = table.path(name)?;
    let Some(node) = path.child().filter(|_| !path.is_empty()) else { return Ok(None) };
    let entries = table.entries(node)?;
    let (at, found) = table.search(&entries, name)?;
    entries.get(at).filter(|_| found).map(|entry| table.link(name, entry)).transpose()
}

/// Frees tree, nodes and heap.
pub(crate) fn delete(md: &Metadata, (btree, heap): (Address, Address)) -> Result<()> {
    let tree = tree(md, btree);
    let mut nodes = Vec::new();
    tree.walk(md, &mut Nodes(&mut nodes))?;
    for node in nodes {
        md.free(node, node_size(md) as u64)?;
    }
    tree.delete(md)?;
    local_heap::write::delete(md, heap)
}

struct Nodes<'a>(&'a mut Vec<Address>);

impl crate::metadata::btree_v1::Walk for Nodes<'_> {
    fn wants(&mut self, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn found(&mut self, _: &[u8], child: Option<Address>, _: &[u8]) -> Result<()> {
        self.0.extend(child);
        Ok(())
    }
}

fn most_entries(md: &Metadata) -> usize {
    usize::from(md.tree_k().leaf).max(1).saturating_mul(2)
}

/// Bytes of a symbol table node.
fn node_size(md: &Metadata) -> usize {
    let entries = most_entries(md).saturating_mul(SymbolEntry::size(md.widths()));
    SymbolTableNode::HEAD.saturating_add(entries)
}

impl<'a> Table<'a> {
    fn open(md: &'a Metadata, btree: Address, heap: Address) -> Result<Self> {
        Ok(Self { md, tree: tree(md, btree), names: Names::open(md, heap)? })
    }

    /// The way to the node that has `name`, or takes it.
    fn path(&self, name: &[u8]) -> Result<Path> {
        self.tree.path(self.md, &mut |node| self.child_for(node, name))
    }

    /// The first child whose names end at or after `name`, else the last.
    fn child_for(&self, node: &BTreeV1Node, name: &[u8]) -> Result<usize> {
        let last = node.entries().saturating_sub(1);
        search(last, |index| {
            let key = node.key(index.saturating_add(1)).map_or(0, little_endian);
            Ok(self.names.name(key)?.as_slice().cmp(name))
        })
    }

    fn entries(&self, node: Address) -> Result<Vec<SymbolEntry>> {
        let bytes = self.md.read(node, node_size(self.md))?;
        let node = SymbolTableNode::read(&mut Cursor::new(&bytes, self.md.widths()))?;
        if node.entries.len() > most_entries(self.md) {
            return Err(Error::malformed(format!("symbol table node of {} entries", node.entries.len())));
        }
        Ok(node.entries)
    }

    /// The first entry not before `name`, and whether it is that name.
    fn search(&self, entries: &[SymbolEntry], name: &[u8]) -> Result<(usize, bool)> {
        let compare = |index: usize| {
            let entry = entries.get(index);
            entry.map_or(Ok(Ordering::Greater), |entry| {
                Ok(self.names.name(entry.name.0)?.as_slice().cmp(name))
            })
        };
        let at = search(entries.len(), compare)?;
        Ok((at, at < entries.len() && compare(at)? == Ordering::Equal))
    }

    fn put(&self, node: Address, entries: Vec<SymbolEntry>) -> Result<()> {
        let mut bytes = self.md.encode(&SymbolTableNode { entries })?;
        bytes.resize(node_size(self.md), 0);
        self.md.put_unsealed(Stage::Block, node, bytes, Seal::None)
    }

    fn new_node(&self, entries: Vec<SymbolEntry>) -> Result<Address> {
        let node = self.md.allocate(node_size(self.md))?;
        self.put(node, entries)?;
        Ok(node)
    }

    fn key(&self, name: u64) -> Result<Vec<u8>> {
        let mut sink = Sink::new(self.md.widths());
        sink.length(name)?;
        Ok(sink.into_bytes())
    }

    fn insert(&mut self, link: &LinkMessage) -> Result<()> {
        let path = self.path(&link.name)?;
        let Some(node) = path.child().filter(|_| !path.is_empty()) else {
            let entry = self.entry(link)?;
            let name = entry.name.0;
            let node = self.new_node(vec![entry])?;
            return self.tree.first(self.md, &self.key(0)?, node, &self.key(name)?);
        };
        let mut entries = self.entries(node)?;
        let (at, found) = self.search(&entries, &link.name)?;
        if found {
            return Err(Error::usage("the group has a link of that name"));
        }
        let entry = self.entry(link)?;
        let name = entry.name.0;
        let last = at == entries.len();
        entries.insert(at, entry);
        let end = path.index().saturating_add(1);
        // Only at the end of the table does a node take a name beyond its key.
        if last && self.beyond(&path, &link.name)? {
            self.tree.set_key(self.md, &path, end, &self.key(name)?)?;
        }
        if entries.len() <= most_entries(self.md) {
            return self.put(node, entries);
        }
        // What is appended keeps nodes full.
        let appended = last && end == path.leaf().entries() && path.leaf().right.is_none();
        let kept = if appended { at } else { entries.len() / 2 };
        let right = entries.split_off(kept);
        let middle = entries.last().map_or(0, |entry| entry.name.0);
        let right = self.new_node(right)?;
        self.put(node, entries)?;
        self.tree.insert(self.md, &path, end, &self.key(middle)?, right)
    }

    fn beyond(&self, path: &Path, name: &[u8]) -> Result<bool> {
        let key = path.leaf().key(path.index().saturating_add(1)).map_or(0, little_endian);
        Ok(self.names.name(key)?.as_slice() < name)
    }

    fn remove(&mut self, name: &[u8]) -> Result<Option<LinkMessage>> {
        let path = self.path(name)?;
        let Some(node) = path.child().filter(|_| !path.is_empty()) else { return Ok(None) };
        let mut entries = self.entries(node)?;
        let (at, found) = self.search(&entries, name)?;
        if !found {
            return Ok(None);
        }
        let entry = entries.remove(at);
        let link = self.link(name, &entry)?;
        match entries.last().map(|last| last.name.0) {
            None => {
                self.md.free(node, node_size(self.md) as u64)?;
                self.tree.remove(self.md, &path)?;
            }
            Some(last) => {
                if at == entries.len() {
                    let end = path.index().saturating_add(1);
                    self.tree.set_key(self.md, &path, end, &self.key(last)?)?;
                }
                self.put(node, entries)?;
            }
        }
        if self.path(name)?.is_empty() {
            self.names.clear()?;
            return Ok(Some(link));
        }
        if let Some(value) = entry.soft_link() {
            self.names.remove(value)?;
        }
        self.names.remove(entry.name.0)?;
        Ok(Some(link))
    }

    fn link(&self, name: &[u8], entry: &SymbolEntry) -> Result<LinkMessage> {
        let target = match (entry.soft_link(), entry.header) {
            (Some(offset), _) => LinkTarget::Soft(self.names.name(offset)?),
            (None, Some(address)) => LinkTarget::Hard(address),
            (None, None) => return Err(Error::malformed("has no address")),
        };
        Ok(LinkMessage { name: name.to_vec(), target, order: None, utf8: false })
    }

    /// Stores the name, and the value of a soft link, and gives the entry.
    fn entry(&mut self, link: &LinkMessage) -> Result<SymbolEntry> {
        let name = HeapOffset(self.names.insert(&link.name)?);
        let (header, cache_type, scratch) = match &link.target {
            LinkTarget::Hard(address) => (Some(*address), 0, [0; 16]),
            LinkTarget::Soft(path) => {
                let offset = self.names.insert(path)?;
                let offset = u32::try_from(offset).map_err(|_| Error::limit("a local heap beyond 4 GiB"))?;
                let mut scratch = [0; 16];
                if let Some((field, _)) = scratch.split_first_chunk_mut::<4>() {
                    *field = offset.to_le_bytes();
                }
                (None, SOFT, scratch)
            }
            _ => return Err(Error::unsupported("a symbol table holds hard and soft links only")),
        };
        Ok(SymbolEntry { name, header, cache_type, reserved: 0, scratch })
    }
}
