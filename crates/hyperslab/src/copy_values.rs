//! Elements on their way from one file to another: what is in heaps moves along, references follow the
//! objects they point at.

use crate::datatype::{Class, Datatype, Heap, ReferenceKind, VariableKind};
use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Cursor, Sink, little_endian};
use crate::object::Objects;

/// Where the object at an address of the one file is in the other; none when it is not there.
pub(crate) type Follow<'a> = dyn FnMut(Address) -> Option<Address> + 'a;

/// Moves elements from one file to another.
pub(crate) struct Moving<'a> {
    pub(crate) from: &'a Objects,
    pub(crate) to: &'a Objects,
    pub(crate) follow: &'a mut Follow<'a>,
}

/// Whether elements mean something in their own file only.
pub(crate) fn is_bound(datatype: &Datatype) -> bool {
    datatype.has_variable_length() || datatype.has_reference()
}

impl Moving<'_> {
    /// The bytes, in the other file, of elements of `of`, which are of `into` there.
    pub(crate) fn elements(&mut self, of: &Datatype, into: &Datatype, from: &[u8]) -> Result<Vec<u8>> {
        if !is_bound(of) && of.size() == into.size() {
            return Ok(from.to_vec());
        }
        let count = from.len().checked_div(of.size()).unwrap_or(0);
        let length = count.checked_mul(into.size());
        let mut to = vec![0; length.ok_or_else(|| Error::limit("elements pass 2^64 bytes"))?];
        self.each((of, into), from, &mut to)?;
        Ok(to)
    }

    fn each(&mut self, (of, into): (&Datatype, &Datatype), from: &[u8], to: &mut [u8]) -> Result<()> {
        let pairs = from.chunks_exact(of.size().max(1)).zip(to.chunks_exact_mut(into.size().max(1)));
        for (from, to) in pairs {
            self.element((of, into), from, to)?;
        }
        Ok(())
    }

    fn element(&mut self, (of, into): (&Datatype, &Datatype), from: &[u8], to: &mut [u8]) -> Result<()> {
        match (of.class(), into.class()) {
            (Class::VariableLength(_), _) => self.sequence((of, into), from, to),
            (Class::Reference(reference), _) => match reference.kind {
                ReferenceKind::Object => self.object(from, to),
                ReferenceKind::Region => self.region(from, to),
                _ if from.iter().all(|byte| *byte == 0) => Ok(()),
                _ => Err(Error::unsupported("references in the form of HDF5 1.12 are not copied")),
            },
            (Class::Array(of), Class::Array(into)) => self.each((of.base(), into.base()), from, to),
            (Class::Compound(of), Class::Compound(into)) if is_bound_member(of.members()) => {
                for (of, into) in of.members().iter().zip(into.members()) {
                    let part = |member: &crate::datatype::Member| {
                        member.offset()..member.offset().saturating_add(member.datatype().size())
                    };
                    let (Some(from), Some(to)) = (from.get(part(of)), to.get_mut(part(into))) else {
                        return Err(Error::malformed("a member lies outside its element"));
                    };
                    self.element((of.datatype(), into.datatype()), from, to)?;
                }
                Ok(())
            }
            _ if from.len() == to.len() => {
                to.copy_from_slice(from);
                Ok(())
            }
            _ => Err(Error::usage(format!("an element of {} bytes becomes one of {}", from.len(), to.len()))),
        }
    }

    fn sequence(&mut self, (of, into): (&Datatype, &Datatype), from: &[u8], to: &mut [u8]) -> Result<()> {
        let (Class::VariableLength(of), Class::VariableLength(into)) = (of.class(), into.class()) else {
            return Err(Error::usage("a sequence becomes something else"));
        };
        let count = from.first_chunk().map_or(0, |count| u32::from_le_bytes(*count));
        if count == 0 {
            return Ok(());
        }
        let place = || "variable-length element";
        let (of, into) = match of.kind() {
            VariableKind::String { .. } => (of.base(), of.base()),
            VariableKind::Sequence => (of.base(), into.base()),
        };
        let bytes = self.from.fetch(from).at(place)?;
        let length = to_usize(u64::from(count))?.checked_mul(of.size());
        let elements = length.and_then(|length| bytes.get(..length)).ok_or_else(|| {
            let message = format!("{count} elements of {} bytes, the heap has {}", of.size(), bytes.len());
            Error::malformed(message).at(place())
        })?;
        let moved = self.elements(of, into, elements)?;
        let Some((length, rest)) = to.split_first_chunk_mut() else {
            return Err(Error::malformed("a variable-length element without length"));
        };
        *length = count.to_le_bytes();
        if moved.is_empty() {
            return Ok(());
        }
        let stored = self.insert(&moved)?;
        fill(rest, &stored)
    }

    fn insert(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let md = &self.to.metadata;
        let (address, index) = self.to.global_heap.insert(md, bytes)?;
        let mut sink = Sink::new(md.widths());
        sink.address(Some(address))?;
        sink.u32(index);
        Ok(sink.into_bytes())
    }

    fn object(&mut self, from: &[u8], to: &mut [u8]) -> Result<()> {
        let address = Cursor::new(from, self.from.metadata.widths()).address()?;
        let Some(address) = address.filter(|address| address.0 != 0) else { return Ok(()) };
        match (self.follow)(address) {
            Some(there) => fill(to, &address_bytes(there, to.len())?),
            None => Ok(()),
        }
    }

    /// The heap has the address of the dataset and what is selected of it.
    fn region(&mut self, from: &[u8], to: &mut [u8]) -> Result<()> {
        let widths = self.from.metadata.widths();
        let mut cursor = Cursor::new(from, widths);
        let Some(heap) = cursor.address()?.filter(|address| address.0 != 0) else { return Ok(()) };
        let index = cursor.u32()?;
        let stored = self.from.global_heap.get(&self.from.metadata, heap, index)?;
        let mut cursor = Cursor::new(&stored, widths);
        let dataset = cursor.address()?.ok_or_else(|| Error::malformed("a region has no dataset"))?;
        let Some(there) = (self.follow)(dataset) else { return Ok(()) };
        let mut sink = Sink::new(self.to.metadata.widths());
        sink.address(Some(there))?;
        sink.put(cursor.rest());
        let stored = self.insert(&sink.into_bytes())?;
        fill(to, &stored)
    }
}

fn is_bound_member(members: &[crate::datatype::Member]) -> bool {
    members.iter().any(|member| is_bound(member.datatype()))
}

fn address_bytes(address: Address, width: usize) -> Result<Vec<u8>> {
    let bytes = address.0.to_le_bytes();
    let (low, high) = bytes.split_at_checked(width).unwrap_or((&bytes, &[]));
    if little_endian(high) != 0 {
        return Err(Error::limit(format!("address {address} does not fit {width} bytes")));
    }
    Ok(low.to_vec())
}

fn fill(to: &mut [u8], bytes: &[u8]) -> Result<()> {
    let place = to.get_mut(..bytes.len());
    let has = bytes.len();
    place.ok_or_else(|| Error::usage(format!("no room for {has} bytes")))?.copy_from_slice(bytes);
    Ok(())
}
