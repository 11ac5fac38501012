//! How far into its file all reaches that can be found from the superblock, and what of it is broken.
//!
//! An object takes what its removal would free, so that is done, in memory only, to one object after the other.

use crate::dataset::Dataset;
use crate::datatype::{Class, Datatype, Value};
use crate::error::{Error, ErrorKind, Place, Result};
use crate::file::File;
use crate::file_state::{self, FileState};
use crate::format::bytes::{Address, Wire};
use crate::format::message::layout::DataLayout;
use crate::format::message::link::LinkTarget;
use crate::format::object_header::kind;
use crate::format::superblock::{Purpose, Superblock};
use crate::group::Object;
use crate::index::StoredChunk;
use crate::object::header::Header;
use crate::object::{Objects, attributes, delete, links};
use crate::space::{Selection, product};
use crate::storage::{ReadAt, WriteAt};
use crate::stored;
use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Elements of variable length that are looked at together.
const TOGETHER: u64 = 1 << 14;

/// Something in a file that cannot be read, or read whole.
#[derive(Debug)]
#[non_exhaustive]
pub struct Damage {
    /// The path of the object.
    pub path: String,
    /// What is wrong with it.
    pub error: Error,
}

/// What was found in a file.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) superblock: Superblock,
    /// Where address 0 is in the file.
    pub(crate) base: u64,
    /// One past the highest address that is in use.
    pub(crate) end: u64,
    /// How many objects there are.
    pub(crate) objects: u64,
    pub(crate) damage: Vec<Damage>,
    /// Whether something was met that is not understood, and may take more.
    pub(crate) unsure: bool,
}

/// Looks at all that can be found in a file, whatever its marks say.
///
/// # Errors
/// When there is no sound superblock, or no root group it leads to: then this is no file, but a part of one, or nothing
/// of it was ever flushed.
pub(crate) fn measure(storage: &Arc<dyn ReadAt>) -> Result<Reach> {
    let size = storage.len().map_err(|error| Error::io("cannot read the file", error))?;
    let file = Arc::new(FileState::open_for(Arc::clone(storage), Purpose::Recover)?);
    let base = file.metadata().base();
    let said = file.superblock.end_of_file.map_or(0, |end| end.0.saturating_sub(file.superblock.base));
    let limit = said.max(size.saturating_sub(base));
    let aside = Arc::new(Aside(Arc::clone(storage)));
    let (superblock, objects) = file_state::editable(aside, Purpose::Recover, |_, _| limit)?;
    let mut walk = Walk {
        stored: size.saturating_sub(base),
        file: &file,
        objects: &objects,
        queue: vec![(superblock.root, String::new())],
        seen: HashSet::from([superblock.root]),
        damage: Vec::new(),
        unsure: false,
    };
    Header::open(&objects.metadata, superblock.root).at(|| "root group")?;
    let mut in_parts = superblock.driver.is_some();
    if let Some(extension) = superblock.extension {
        let header = Header::load(&objects.metadata, extension).at(|| "superblock extension")?;
        in_parts |= header.first(kind::DRIVER_INFO).is_some();
        free(&objects, &header)?;
    }
    if in_parts {
        return Err(Error::unsupported("the file is one of several parts"));
    }
    while let Some((address, path)) = walk.queue.pop() {
        walk.object(address, &path);
    }
    let found = walk.seen.len() as u64;
    let (damage, unsure) = (walk.damage, walk.unsure);
    let heaps = objects.global_heap.reach().max(file.objects.global_heap.reach());
    let end = objects.metadata.freed_end()?.max(heaps).max(superblock.size());
    Ok(Reach { superblock, base, end, objects: found, damage, unsure })
}

fn free(objects: &Objects, header: &Header) -> Result<()> {
    header.blocks().try_for_each(|(address, length)| objects.metadata.free(address, length as u64))
}

/// One look at everything.
struct Walk<'a> {
    /// Addresses below have bytes.
    stored: u64,
    /// The file as it is read.
    file: &'a Arc<FileState>,
    /// The file as it is taken apart, in memory.
    objects: &'a Objects,
    queue: Vec<(Address, String)>,
    seen: HashSet<Address>,
    damage: Vec<Damage>,
    unsure: bool,
}

impl Walk<'_> {
    fn note(&mut self, path: &str, outcome: Result<()>) {
        let path = if path.is_empty() { "/" } else { path };
        match outcome {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Unsupported => self.unsure = true,
            Err(error) => self.damage.push(Damage { path: path.to_owned(), error }),
        }
    }

    fn meet(&mut self, address: Address, path: String) {
        if self.seen.insert(address) {
            self.queue.push((address, path));
        }
    }

    /// One object; what is wrong with one part of it keeps from no other.
    fn object(&mut self, address: Address, path: &str) {
        let header = match Header::open(&self.objects.metadata, address) {
            Ok(header) => header,
            Err(error) => return self.note(path, Err(error)),
        };
        let linked = self.links(&header, path);
        self.note(path, linked);
        let values = self.values(&header, path);
        self.note(path, values);
        let data = self.data(&header, path);
        self.note(path, data);
        let objects = self.objects;
        self.note(path, links::release(objects, &header));
        self.note(path, attributes::release(objects, &header));
        self.note(path, free(objects, &header));
    }

    /// What the object leads to.
    fn links(&mut self, header: &Header, path: &str) -> Result<()> {
        if links::is_group(header) {
            for link in links::list(self.objects, header)? {
                if let LinkTarget::Hard(target) = link.target {
                    self.meet(target, format!("{path}/{}", String::from_utf8_lossy(&link.name)));
                }
            }
        }
        let mut named: Vec<Address> = delete::committed(self.objects, header)?.into_iter().collect();
        named.extend(attributes::list(self.objects, header)?.into_iter().filter_map(|found| found.named));
        for address in named {
            self.meet(address, format!("{path} (named datatype)"));
        }
        Ok(())
    }

    /// Values in the global heap, which is only known from them.
    fn values(&self, header: &Header, path: &str) -> Result<()> {
        let object = Object::open(self.file, header.address, path.as_bytes())?;
        for attribute in object.attributes()? {
            if is_elsewhere(attribute.datatype()) {
                self.refer(attribute.datatype(), &attribute.values()?)?;
            }
        }
        let Object::Dataset(dataset) = object else { return Ok(()) };
        if dataset.is_virtual() || !is_elsewhere(dataset.datatype()) {
            return Ok(());
        }
        for selection in slabs(&dataset)? {
            self.refer(dataset.datatype(), &dataset.read_values(&selection)?)?;
        }
        Ok(())
    }

    /// Follows references to regions, whose selections are in the heap.
    fn refer(&self, datatype: &Datatype, values: &[Value]) -> Result<()> {
        if !datatype.has_reference() {
            return Ok(());
        }
        let file = File { state: Arc::clone(self.file) };
        values.iter().try_for_each(|value| refer(&file, datatype, value))
    }

    fn data(&mut self, header: &Header, path: &str) -> Result<()> {
        let layout = self.objects.decoded(header, kind::LAYOUT, DataLayout::read)?;
        let objects = self.objects;
        let Some(DataLayout::Chunked(_)) = layout else {
            if let Some(DataLayout::Contiguous { address: Some(address), size: Some(size) }) = layout
                && address.0.saturating_add(size) > self.stored
            {
                let missing = size.min(address.0.saturating_add(size) - self.stored);
                let message = format!("the last {missing} of its {size} bytes were never written");
                self.note(path, Err(Error::malformed(message)));
            }
            return delete::release_data(objects, header, &mut |_, _| Ok(()));
        };
        let mut seen = Chunks { stored: self.stored, ..Chunks::default() };
        let mut take = |coords: &[u64], chunk: StoredChunk| {
            seen.take(coords, &chunk);
            objects.metadata.free(chunk.address, chunk.size)
        };
        delete::release_data(objects, header, &mut |objects, header| {
            stored::release_chunks(objects, header, &mut take)
        })?;
        if seen.beyond > 0 {
            let message = format!("{} of its chunks lie behind the end of the file", seen.beyond);
            self.note(path, Err(Error::malformed(message)));
        }
        let Object::Dataset(dataset) = Object::open(self.file, header.address, path.as_bytes())? else {
            return Ok(());
        };
        let mut last: Vec<Vec<u64>> =
            [seen.last, seen.highest.map(|(_, coords)| coords)].into_iter().flatten().collect();
        last.dedup();
        last.iter().try_for_each(|coords| check_chunk(&dataset, coords))
    }
}

/// What is remembered of the chunks of a dataset.
#[derive(Debug, Default)]
struct Chunks {
    stored: u64,
    /// How many are not, or not wholly, in the file.
    beyond: u64,
    /// The one with the greatest coordinates.
    last: Option<Vec<u64>>,
    /// The one with the highest address.
    highest: Option<(u64, Vec<u64>)>,
}

impl Chunks {
    fn take(&mut self, coords: &[u64], chunk: &StoredChunk) {
        if chunk.address.0.saturating_add(chunk.size) > self.stored {
            self.beyond = self.beyond.saturating_add(1);
            return;
        }
        if self.last.as_deref().is_none_or(|last| last < coords) {
            self.last = Some(coords.to_vec());
        }
        if self.highest.as_ref().is_none_or(|(address, _)| *address < chunk.address.0) {
            self.highest = Some((chunk.address.0, coords.to_vec()));
        }
    }
}

/// Reads a chunk, so that its filters are asked whether it is whole.
fn check_chunk(dataset: &Dataset, coords: &[u64]) -> Result<()> {
    let (dims, sides) = (dataset.shape(), dataset.chunk_shape().unwrap_or_default());
    let ranges: Vec<Range<u64>> = coords
        .iter()
        .zip(sides.iter().zip(&dims))
        .map(|(coord, (side, dim))| {
            let start = coord.saturating_mul(*side);
            start..start.saturating_add(*side).min(*dim)
        })
        .collect();
    // Values of variable length were all read already.
    if dataset.datatype().has_variable_length() || ranges.iter().any(Range::is_empty) {
        return Ok(());
    }
    match dataset.read_bytes(&Selection::from_ranges(&ranges)?, dataset.datatype()) {
        // A filter that is not there says nothing of the chunk.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        read => read.map(|_| ()),
    }
}

/// Whether elements have bytes in the global heap.
fn is_elsewhere(datatype: &Datatype) -> bool {
    datatype.has_variable_length() || datatype.has_reference()
}

/// The dataset in pieces of some thousand elements, cut along the first axis.
fn slabs(dataset: &Dataset) -> Result<Vec<Selection>> {
    let dims = dataset.shape();
    if dataset.extent().count()? == 0 {
        return Ok(Vec::new());
    }
    let Some((rows, row)) = dims.split_first() else { return Ok(vec![Selection::All]) };
    let step = (TOGETHER / product(row.iter().copied())?.max(1)).max(1);
    let starts = std::iter::successors(Some(0_u64), |start| start.checked_add(step));
    starts
        .take_while(|start| start < rows)
        .map(|start| {
            let first = start..start.saturating_add(step).min(*rows);
            let ranges: Vec<Range<u64>> =
                std::iter::once(first).chain(row.iter().map(|side| 0..*side)).collect();
            Selection::from_ranges(&ranges)
        })
        .collect()
}

fn refer(file: &File, datatype: &Datatype, value: &Value) -> Result<()> {
    match (datatype.class(), value) {
        (Class::Reference(reference), Value::Reference(bytes)) => {
            file.referenced(reference.kind, bytes).map(|_| ())
        }
        (Class::Array(of), Value::Array(values)) => {
            values.iter().try_for_each(|value| refer(file, of.base(), value))
        }
        (Class::VariableLength(of), Value::Sequence(values)) => {
            values.iter().try_for_each(|value| refer(file, of.base(), value))
        }
        (Class::Compound(of), Value::Compound(values)) => of
            .members()
            .iter()
            .zip(values)
            .try_for_each(|(member, value)| refer(file, member.datatype(), value)),
        _ => Ok(()),
    }
}

/// A storage that is read, and never written.
#[derive(Debug)]
struct Aside(Arc<dyn ReadAt>);

impl ReadAt for Aside {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }
}

impl WriteAt for Aside {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
