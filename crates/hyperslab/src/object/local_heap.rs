//! [`LocalHeap`]: the names of an old group, loaded whole.
//!
//! Spec: III.D "Local Heaps".

use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::Address;
use crate::format::local_heap::LocalHeapHeader;
use crate::metadata::Metadata;

/// The data segment of a local heap.
#[derive(Clone, Debug)]
pub(crate) struct LocalHeap {
    bytes: Vec<u8>,
}

impl LocalHeap {
    /// The heap whose header is at `address`.
    pub(crate) fn open(md: &Metadata, address: Address) -> Result<Self> {
        Self::load(md, address).at(|| format!("local heap at {address}"))
    }

    fn load(md: &Metadata, address: Address) -> Result<Self> {
        let header: LocalHeapHeader = md.load(address, LocalHeapHeader::size(md.widths()))?;
        let bytes = match header.segment {
            Some(segment) => md.read(segment, to_usize(header.size)?)?,
            None => Vec::new(),
        };
        Ok(Self { bytes })
    }

    /// The name that begins at `offset`, without the NUL that ends it.
    pub(crate) fn name(&self, offset: u64) -> Result<&[u8]> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..));
        let name = rest.and_then(|rest| rest.split_at_checked(memchr::memchr(0, rest)?));
        name.map(|(name, _)| name).ok_or_else(|| {
            Error::malformed(format!("no name at {offset} in a local heap of {} bytes", self.bytes.len()))
        })
    }
}
