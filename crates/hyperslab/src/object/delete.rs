//! Counting the hard links of objects, and freeing objects that have none.

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Cursor, Wire};
use crate::format::message::layout::DataLayout;
use crate::format::message::link::LinkTarget;
use crate::format::message::other::{ExternalFiles, Shared};
use crate::format::object_header::kind;
use crate::object::Objects;
use crate::object::header::{Header, edit};
use crate::object::{attributes, links, local_heap};
use crate::space::Extent;

/// Frees the elements of a dataset that are in chunks, with their index.
pub(crate) type FreeChunks<'a> = dyn FnMut(&Objects, &Header) -> Result<()> + 'a;

/// Asked before an object without links is freed: whether it is still in use, so whoever uses it frees it later.
pub(crate) type Keeps<'a> = dyn FnMut(Address) -> bool + 'a;

/// One more hard link leads to an object, or one more message uses a committed datatype.
pub(crate) fn link(objects: &Objects, address: Address) -> Result<()> {
    let header = Header::open(&objects.metadata, address)?;
    let count = header.link_count().checked_add(1);
    let count = count.ok_or_else(|| Error::limit(format!("object header at {address}: too many links")))?;
    edit::set_link_count(&objects.metadata, address, count)
}

/// A hard link to an object is gone; with the last one goes the object, and what only it leads to.
pub(crate) fn unlink(
    objects: &Objects,
    address: Address,
    free_chunks: &mut FreeChunks<'_>,
    keeps: &mut Keeps<'_>,
) -> Result<()> {
    let mut pending = vec![address];
    while let Some(address) = pending.pop() {
        let header = Header::open(&objects.metadata, address)?;
        match header.link_count() {
            0 | 1 if keeps(address) => {
                edit::set_link_count(&objects.metadata, address, 0)?;
                continue;
            }
            0 | 1 => {}
            count => {
                edit::set_link_count(&objects.metadata, address, count.saturating_sub(1))?;
                continue;
            }
        }
        if links::is_group(&header) {
            for link in links::list(objects, &header)? {
                if let LinkTarget::Hard(target) = link.target {
                    pending.push(target);
                }
            }
        }
        // Before its blocks are free: an object that leads to itself is met again with no links.
        let place = || format!("object header at {address}");
        links::release(objects, &header).at(place)?;
        attributes::release(objects, &header).at(place)?;
        release_data(objects, &header, free_chunks).at(place)?;
        if let Some(datatype) = committed(objects, &header)? {
            pending.push(datatype);
        }
        for (address, length) in header.blocks() {
            objects.metadata.free(address, length as u64)?;
        }
        pending.retain(|other| *other != address);
    }
    Ok(())
}

/// Frees the elements of a dataset.
pub(crate) fn release_data(
    objects: &Objects,
    header: &Header,
    free_chunks: &mut FreeChunks<'_>,
) -> Result<()> {
    let md = &objects.metadata;
    if let Some(external) = objects.decoded(header, kind::EXTERNAL_FILES, ExternalFiles::read)? {
        return local_heap::write::delete(md, external.heap);
    }
    match objects.decoded(header, kind::LAYOUT, DataLayout::read)? {
        Some(DataLayout::Contiguous { address: Some(address), size }) => {
            let size = match size {
                Some(size) => size,
                None => old_size(objects, header)?,
            };
            md.free(address, size)
        }
        Some(DataLayout::Chunked(chunked)) if chunked.address.is_some() => free_chunks(objects, header),
        Some(DataLayout::Virtual { collection: Some(collection), index }) => {
            objects.global_heap.remove(md, collection, index)
        }
        _ => Ok(()),
    }
}

/// Bytes of the elements of a dataset whose layout does not tell.
fn old_size(objects: &Objects, header: &Header) -> Result<u64> {
    let extent = objects.decoded(header, kind::DATASPACE, Extent::read)?;
    let count = extent.map_or(Ok(0), |extent| extent.count())?;
    count
        .checked_mul(objects.datatype(header)?.size() as u64)
        .ok_or_else(|| Error::malformed("more elements than a file can have"))
}

/// The committed datatype of a dataset, if it has one.
pub(crate) fn committed(objects: &Objects, header: &Header) -> Result<Option<Address>> {
    let Some(message) = header.first(kind::DATATYPE).filter(|message| message.is_shared()) else {
        return Ok(None);
    };
    match Shared::read(&mut Cursor::new(&message.body, objects.metadata.widths()))? {
        Shared::Committed(address) => Ok(Some(address)),
        Shared::Heap(_) => Ok(None),
    }
}
