//! Huge objects of fractal heaps that are written: blocks of their own, found through a B-tree.

use super::write::Edit;
use crate::error::{Error, Result};
use crate::format::btree_v2::HugeIndirect;
use crate::format::bytes::{Cursor, Length, Wire, little_endian};
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Walk};
use crate::metadata::stage::Stage;

/// Bytes of the nodes of the tree of huge objects, and the type of its records.
const HUGE_NODE: u32 = 512;
const HUGE_KIND: u8 = 1;

impl Edit<'_> {
    pub(super) fn insert_huge(&mut self, object: &[u8]) -> Result<u64> {
        let widths = self.md.widths();
        if usize::from(widths.offsets) + usize::from(widths.lengths) <= self.id_data() {
            return Err(Error::unsupported(
                "a huge object in a heap whose IDs hold addresses is not written",
            ));
        }
        let record_size = u16::from(widths.offsets) + u16::from(widths.lengths) * 2;
        let tree = match self.head.header.fields.huge_tree {
            Some(address) => BTreeV2::open(self.md, address)?,
            None => BTreeV2::create(self.md, HUGE_KIND, HUGE_NODE, record_size)?,
        };
        let number = self.head.header.fields.next_huge.0.saturating_add(1);
        let address = self.md.place(Stage::Block, object.to_vec())?;
        let length = Length(object.len() as u64);
        let record = HugeIndirect { address: Some(address), length, id: Length(number) };
        let md = self.md;
        tree.insert(md, &md.encode(&record)?, &mut |found| Ok(huge(md, found)?.id.0.cmp(&number)))?;
        let fields = self.fields();
        fields.huge_tree = Some(tree.address());
        fields.next_huge.0 = number;
        fields.huge_objects.0 = fields.huge_objects.0.saturating_add(1);
        fields.huge_size.0 = fields.huge_size.0.saturating_add(length.0);
        Ok(number)
    }

    pub(super) fn remove_huge(&mut self, id: &[u8]) -> Result<()> {
        let data = id.get(1..).unwrap_or_default();
        let number = little_endian(data.get(..data.len().min(8)).unwrap_or_default());
        let tree = self.head.header.fields.huge_tree;
        let tree = tree.ok_or_else(|| Error::malformed("fractal heap has no huge objects"))?;
        let (md, tree) = (self.md, BTreeV2::open(self.md, tree)?);
        if tree.kind() != HUGE_KIND {
            return Err(Error::unsupported(format!("huge objects in a B-tree of type {}", tree.kind())));
        }
        let record = tree.remove(md, &mut |found| Ok(huge(md, found)?.id.0.cmp(&number)))?;
        let record = record.ok_or_else(|| Error::malformed(format!("no huge object {number}")))?;
        let record = huge(md, &record)?;
        if let Some(address) = record.address {
            md.free(address, record.length.0)?;
        }
        let fields = self.fields();
        fields.huge_objects.0 = fields.huge_objects.0.saturating_sub(1);
        fields.huge_size.0 = fields.huge_size.0.saturating_sub(record.length.0);
        if fields.huge_objects.0 == 0 {
            (fields.huge_tree, fields.next_huge) = (None, Length(0));
            tree.delete(md)?;
        }
        Ok(())
    }

    /// Frees all huge objects and their tree.
    pub(super) fn release_huge(&self) -> Result<()> {
        let Some(address) = self.head.header.fields.huge_tree else { return Ok(()) };
        let tree = BTreeV2::open(self.md, address)?;
        if tree.kind() == HUGE_KIND {
            tree.walk(self.md, &mut FreeHuge(self.md))?;
        }
        tree.delete(self.md)
    }
}
struct FreeHuge<'a>(&'a Metadata);

impl Walk for FreeHuge<'_> {
    fn wants(&mut self, _: Option<&[u8]>, _: Option<&[u8]>) -> Result<bool> {
        Ok(true)
    }

    fn found(&mut self, record: &[u8]) -> Result<()> {
        let record = huge(self.0, record)?;
        record.address.map_or(Ok(()), |address| self.0.free(address, record.length.0))
    }
}

fn huge(md: &Metadata, record: &[u8]) -> Result<HugeIndirect> {
    HugeIndirect::read(&mut Cursor::new(record, md.widths()))
}
