//! Making, changing and removing attributes.

use crate::datatype::{CharacterSet, Conversion, Datatype, Element, NoHeap, Value};
use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Address, Wire};
use crate::format::message::attribute::AttributeParts;
use crate::format::message::other::Shared;
use crate::group::NamedDatatype;
use crate::location::Location;
use crate::object::attributes;
use crate::space::Extent;
use ndarray::{ArrayBase, Data, Dimension};

/// What an attribute is to hold.
///
/// ```
/// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
/// use hyperslab::{AttributeData, Datatype, Element, Extent, Value};
/// let root = file.root()?;
/// root.set_attribute("axes", &["x", "y"][..])?;
/// root.set_attribute("rotation", &ndarray::array![[0.0, 1.0], [1.0, 0.0]])?;
/// let mask = AttributeData::from_values(Datatype::of::<i16>(), Extent::Scalar, vec![Value::Integer(-1)]);
/// root.set_attribute("mask", mask)?;
/// root.rename_attribute("mask", "pixel_mask")?;
/// root.delete_attribute("rotation")?;
/// assert_eq!(root.attributes()?.len(), 2);
/// # Ok::<(), hyperslab::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AttributeData {
    datatype: Datatype,
    /// The header of the named datatype, when it is one.
    named: Option<Address>,
    extent: Extent,
    elements: Stuff,
}

#[derive(Clone, Debug)]
enum Stuff {
    Bytes(Vec<u8>),
    Values(Vec<Value>),
}

impl AttributeData {
    /// Elements of a datatype, as their bytes in row-major order.
    #[must_use]
    pub fn from_bytes(datatype: Datatype, extent: Extent, bytes: Vec<u8>) -> Self {
        Self { datatype, named: None, extent, elements: Stuff::Bytes(bytes) }
    }

    /// Elements of a datatype, as values in row-major order.
    #[must_use]
    pub fn from_values(datatype: Datatype, extent: Extent, values: Vec<Value>) -> Self {
        Self { datatype, named: None, extent, elements: Stuff::Values(values) }
    }

    /// The same elements, of a named datatype of the same file, which has to be the one they are of.
    #[must_use]
    pub fn named_datatype(mut self, named: &NamedDatatype) -> Self {
        self.named = Some(named.address);
        self
    }

    /// Elements of a datatype, all zero: numbers of that value, and nothing of variable length.
    ///
    /// # Errors
    /// `Limit` when there are more than memory holds.
    pub fn zeroes(datatype: Datatype, extent: Extent) -> Result<Self> {
        let count = if extent == Extent::Null { 0 } else { extent.count()? };
        let length = count.checked_mul(datatype.size() as u64).map(to_usize);
        let length = length.ok_or_else(|| Error::limit("more than 2^64 bytes"))??;
        Ok(Self::from_bytes(datatype, extent, vec![0; length]))
    }

    /// Elements of a datatype, from the bytes of elements of the datatype `memory` in row-major order.
    ///
    /// # Errors
    /// `Unsupported` when there is no conversion; `Usage` when there are not as many elements as `extent` says.
    pub fn converted(datatype: Datatype, extent: Extent, memory: &Datatype, bytes: &[u8]) -> Result<Self> {
        let conversion = Conversion::plan(memory, &datatype)?;
        let mut data = Self::zeroes(datatype, extent)?;
        if let Stuff::Bytes(out) = &mut data.elements {
            let count = out.len().checked_div(data.datatype.size()).unwrap_or(0);
            conversion.run(bytes, out, count, &NoHeap)?;
        }
        Ok(data)
    }

    fn strings(extent: Extent, strings: Vec<&str>) -> Self {
        let values = strings.into_iter().map(|text| Value::String(text.as_bytes().to_vec())).collect();
        Self::from_values(Datatype::variable_string(CharacterSet::Utf8), extent, values)
    }
}

impl<T: Element> From<T> for AttributeData {
    fn from(value: T) -> Self {
        Self::from_bytes(T::datatype(), Extent::Scalar, bytemuck::bytes_of(&value).to_vec())
    }
}

impl<T: Element> From<&[T]> for AttributeData {
    fn from(values: &[T]) -> Self {
        let extent = Extent::fixed(&[values.len() as u64]);
        Self::from_bytes(T::datatype(), extent, bytemuck::cast_slice(values).to_vec())
    }
}

impl<T: Element, const N: usize> From<[T; N]> for AttributeData {
    fn from(values: [T; N]) -> Self {
        Self::from(values.as_slice())
    }
}

impl<T: Element> From<&Vec<T>> for AttributeData {
    fn from(values: &Vec<T>) -> Self {
        Self::from(values.as_slice())
    }
}

impl<T: Element, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for AttributeData {
    fn from(array: &ArrayBase<S, D>) -> Self {
        let extent = Extent::fixed(&array.shape().iter().map(|length| *length as u64).collect::<Vec<_>>());
        let elements: Vec<T> = array.iter().copied().collect();
        Self::from_bytes(T::datatype(), extent, bytemuck::cast_slice(&elements).to_vec())
    }
}

impl From<&str> for AttributeData {
    fn from(text: &str) -> Self {
        Self::strings(Extent::Scalar, vec![text])
    }
}

impl From<&[&str]> for AttributeData {
    fn from(texts: &[&str]) -> Self {
        Self::strings(Extent::fixed(&[texts.len() as u64]), texts.to_vec())
    }
}

impl Location {
    /// Gives the object an attribute; one of that name is replaced.
    ///
    /// ```
    /// # let file = hyperslab::OpenOptions::new().create_in_memory()?;
    /// let group = file.root()?;
    /// group.set_attribute("units", "mm")?;
    /// group.set_attribute("beam", [1.5, 2.5])?;
    /// assert_eq!(group.attribute("beam")?.extent().dims(), [2]);
    /// # Ok::<(), hyperslab::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the file is open to read only, or the elements do not fit datatype and extent;
    /// `Limit` when the form of the file has no room for so many bytes.
    pub fn set_attribute(&self, name: impl AsRef<[u8]>, data: impl Into<AttributeData>) -> Result<()> {
        let (name, data) = (name.as_ref(), data.into());
        let place = || format!("{}: attribute \"{}\"", self.place(), String::from_utf8_lossy(name));
        let _writing = self.file.writing_for(self.address)?;
        self.put(name, data).at(place)
    }

    fn put(&self, name: &[u8], data: AttributeData) -> Result<()> {
        let AttributeData { datatype, named, extent, elements } = data;
        let objects = &self.file.objects;
        let bytes = match elements {
            Stuff::Bytes(bytes) => bytes,
            Stuff::Values(values) => {
                let encoded: Result<Vec<_>> =
                    values.iter().map(|value| Value::encode(&datatype, value, objects)).collect();
                encoded?.concat()
            }
        };
        let count = if extent == Extent::Null { 0 } else { extent.count()? };
        if count.checked_mul(datatype.size() as u64) != Some(bytes.len() as u64) {
            let message = format!("{} bytes for {count} elements of {}", bytes.len(), datatype.size());
            return Err(Error::usage(message));
        }
        let md = self.file.metadata();
        let (mut kind, mut space) = (md.sink(), md.sink());
        match named {
            Some(address) => Shared::Committed(address).write(&mut kind)?,
            None => datatype.write(&mut kind)?,
        }
        extent.write(&mut space)?;
        let message = AttributeParts {
            name,
            utf8: !name.is_ascii(),
            datatype: kind.bytes(),
            datatype_shared: named.is_some(),
            dataspace: space.bytes(),
            dataspace_shared: false,
            data: &bytes,
        };
        attributes::put(objects, self.address, &message)
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name, `Usage` when the file is open to read only.
    pub fn delete_attribute(&self, name: impl AsRef<[u8]>) -> Result<()> {
        let _writing = self.file.writing_for(self.address)?;
        attributes::remove(&self.file.objects, self.address, name.as_ref()).at(|| self.place())
    }

    /// Gives an attribute another name.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name, `Usage` when the new one is taken.
    pub fn rename_attribute(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<()> {
        let _writing = self.file.writing_for(self.address)?;
        attributes::rename(&self.file.objects, self.address, from.as_ref(), to.as_ref()).at(|| self.place())
    }
}
