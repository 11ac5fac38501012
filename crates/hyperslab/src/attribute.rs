//! [`Attribute`]: a small named value on an object.

use crate::datatype::{Conversion, Datatype, Value};
use crate::error::{Error, Place, Result, to_usize};
use crate::file_state::FileState;
use crate::group::{NamedDatatype, Object};
use crate::layout::fresh;
use crate::location::place;
use crate::object::attributes::{self, StoredAttribute};
use crate::object::header::Header;
use crate::space::Extent;
use std::borrow::Cow;
use std::sync::Arc;

/// A small named value on a group, dataset or named datatype, read whole.
#[derive(Clone, Debug)]
pub struct Attribute {
    file: Arc<FileState>,
    stored: StoredAttribute,
}

/// All attributes of an object.
pub(crate) fn all(file: &Arc<FileState>, header: &Header) -> Result<Vec<Attribute>> {
    let stored = attributes::list(&file.objects, header)?;
    Ok(stored.into_iter().map(|stored| Attribute { file: Arc::clone(file), stored }).collect())
}

/// The one of that name.
pub(crate) fn named(all: Vec<Attribute>, name: &[u8]) -> Result<Attribute> {
    all.into_iter().find(|attribute| attribute.name_bytes() == name).ok_or_else(|| {
        Error::not_found(format!("there is no attribute \"{}\"", String::from_utf8_lossy(name)))
    })
}

impl Attribute {
    /// The name as text, bytes that are not UTF-8 replaced.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stored.name)
    }

    /// The bytes of the name.
    #[must_use]
    pub fn name_bytes(&self) -> &[u8] {
        &self.stored.name
    }

    /// The order in which it was made, where the object remembers it.
    #[must_use]
    pub fn order(&self) -> Option<u64> {
        self.stored.order
    }

    /// What one element is, as stored.
    #[must_use]
    pub fn datatype(&self) -> &Datatype {
        &self.stored.datatype
    }

    /// The named datatype that the elements are of, when it has a name of its own.
    ///
    /// # Errors
    /// `Malformed` when it cannot be read.
    pub fn named_datatype(&self) -> Result<Option<NamedDatatype>> {
        let Some(address) = self.stored.named else { return Ok(None) };
        let open = || Object::open(&self.file, address, b"");
        match self.file.attempt(open).at(|| self.place())? {
            Object::Datatype(named) => Ok(Some(named)),
            _ => Ok(None),
        }
    }

    /// How many elements there are.
    #[must_use]
    pub fn extent(&self) -> &Extent {
        &self.stored.extent
    }

    /// The elements as stored, in row-major order.
    ///
    /// # Errors
    /// `Malformed` when fewer bytes are stored than the elements need.
    pub fn bytes(&self) -> Result<&[u8]> {
        let size = self.datatype().size() as u64;
        let length =
            self.extent().count()?.checked_mul(size).ok_or_else(|| Error::limit("more than 2^64 bytes"))?;
        self.stored.data.get(..to_usize(length)?).ok_or_else(|| {
            let message = format!("its elements need {length} bytes, {} are stored", self.stored.data.len());
            Error::malformed(message).at(self.place())
        })
    }

    /// The elements, decoded, in row-major order.
    ///
    /// # Errors
    /// `Malformed` when they are not what their datatype says.
    pub fn values(&self) -> Result<Vec<Value>> {
        let size = self.datatype().size().max(1);
        let _reading = self.file.reading()?;
        let bytes = self.bytes()?;
        let decode = || {
            let elements = bytes.chunks_exact(size);
            elements.map(|element| Value::decode(self.datatype(), element, &self.file.objects)).collect()
        };
        self.file.attempt(decode).at(|| self.place())
    }

    /// The elements, converted to the datatype `memory`, in row-major order.
    ///
    /// # Errors
    /// `Unsupported` when there is no conversion, `Malformed` when elements cannot be read, `Limit` when
    /// there are more than memory holds.
    pub fn read_bytes(&self, memory: &Datatype) -> Result<Vec<u8>> {
        let stored = self.bytes()?;
        let conversion = Conversion::plan(self.datatype(), memory).at(|| self.place())?;
        let count = to_usize(self.extent().count()?)?;
        let length = count.checked_mul(memory.size()).ok_or_else(|| Error::limit("more than 2^64 bytes"))?;
        let mut out = fresh::zeroed::<u8>(length).at(|| self.place())?;
        let convert = || conversion.run(stored, &mut out, count, &self.file.objects);
        self.file.attempt(convert).at(|| self.place())?;
        Ok(out)
    }

    fn place(&self) -> String {
        format!("{}: attribute \"{}\"", place(&self.file, b""), self.name())
    }
}
