//! [`Dense`]: links or attributes in a heap, indexed by name and perhaps by the order of creation.

use crate::error::{Error, Place, Result};
use crate::format::bytes::{Address, Body, Cursor, Wire, little_endian};
use crate::format::checksum::lookup3;
use crate::format::message::attribute::AttributeParts;
use crate::format::message::link::LinkMessage;
use crate::format::object_header::kind;
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Walk};
use crate::object::Objects;
use crate::object::fractal_heap::FractalHeap;
use crate::object::fractal_heap::write::{self, Parameters};
use std::cmp::Ordering;

/// Bytes of the nodes of the trees: four times what libhdf5 gives them, so that a tree of 10,000 is two levels high.
const NODE: u32 = 2048;

/// How records are laid out.  Spec: III.A.2, record types 5, 6, 8 and 9.
#[derive(Debug)]
pub(crate) struct Form {
    heap: Parameters,
    /// Type and bytes of the records by name, and of those by order.
    by_name: (u8, u16),
    by_order: (u8, u16),
    /// Where the hash of the name is, and the heap ID, and the order if it is there.
    hash_at: usize,
    id_at: usize,
    order_at: Option<usize>,
    /// Where heap ID and order are in a record by order, and the bytes of the order.
    ordered_id_at: usize,
    ordered_at: usize,
    order_width: usize,
    /// Where a record has the flags of a message.
    flags_at: Option<usize>,
    name_of: fn(&Objects, u8, &[u8]) -> Result<Vec<u8>>,
}

pub(crate) const LINKS: Form = Form {
    heap: write::LINKS,
    by_name: (5, 11),
    by_order: (6, 15),
    hash_at: 0,
    id_at: 4,
    order_at: None,
    ordered_id_at: 8,
    ordered_at: 0,
    order_width: 8,
    flags_at: None,
    name_of: |objects, _, body| Ok(LinkMessage::read(&mut Cursor::new(body, objects.metadata.widths()))?.name),
};

pub(crate) const ATTRIBUTES: Form = Form {
    heap: write::ATTRIBUTES,
    by_name: (8, 17),
    by_order: (9, 13),
    hash_at: 13,
    id_at: 0,
    order_at: Some(9),
    ordered_id_at: 0,
    ordered_at: 9,
    order_width: 4,
    flags_at: Some(8),
    name_of: |objects, flags, body| {
        let body = objects.body_of(kind::ATTRIBUTE, flags, body)?;
        Ok(AttributeParts::read(&mut Cursor::new(&body, objects.metadata.widths()))?.name.to_vec())
    },
};

/// Addresses of the heap and its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) heap: Address,
    pub(crate) by_name: Address,
    pub(crate) by_order: Option<Address>,
}

/// What is in the heap under one name.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) body: Vec<u8>,
    /// The flags of the message.
    pub(crate) flags: u8,
    /// The creation order, where the record by name has it.
    pub(crate) order: u64,
    id: Vec<u8>,
}

/// A name and the hash that records are sorted by.
struct Sought<'n> {
    name: &'n [u8],
    hash: u32,
}

impl<'n> Sought<'n> {
    fn new(name: &'n [u8]) -> Self {
        Self { name, hash: lookup3(name) }
    }
}

/// Links or attributes in a heap.
pub(crate) struct Dense<'a> {
    objects: &'a Objects,
    form: &'static Form,
    pub(crate) at: Addresses,
    by_name: BTreeV2,
    by_order: Option<BTreeV2>,
}

impl<'a> Dense<'a> {
    pub(crate) fn create(objects: &'a Objects, form: &'static Form, ordered: bool) -> Result<Self> {
        let md = &objects.metadata;
        let heap = write::create(md, form.heap)?;
        let by_name = BTreeV2::create(md, form.by_name.0, NODE, form.by_name.1)?;
        let by_order =
            if ordered { Some(BTreeV2::create(md, form.by_order.0, NODE, form.by_order.1)?) } else { None };
        let order = by_order.as_ref().map(BTreeV2::address);
        let at = Addresses { heap, by_name: by_name.address(), by_order: order };
        Ok(Self { objects, form, at, by_name, by_order })
    }

    pub(crate) fn open(objects: &'a Objects, form: &'static Form, at: Addresses) -> Result<Self> {
        let open = |address: Address, (kind, size): (u8, u16)| {
            let tree = BTreeV2::open(&objects.metadata, address)?;
            if tree.kind() != kind || tree.record_size() != usize::from(size) {
                let found = (tree.kind(), tree.record_size());
                let message =
                    format!("B-tree type and record size are {found:?}, expected {kind} and {size}");
                return Err(Error::malformed(message).at(format!("B-tree header at {address}")));
            }
            Ok(tree)
        };
        let by_name = open(at.by_name, form.by_name)?;
        let by_order = at.by_order.map(|address| open(address, form.by_order)).transpose()?;
        Ok(Self { objects, form, at, by_name, by_order })
    }

    fn md(&self) -> &'a Metadata {
        &self.objects.metadata
    }

    /// How many there are.
    pub(crate) fn len(&self) -> Result<u64> {
        self.by_name.len(self.md())
    }

    /// Adds what is called `name`; its order counts where order is tracked.
    pub(crate) fn insert(&self, name: &[u8], body: &[u8], order: u64) -> Result<()> {
        let md = self.md();
        let id = self.objects.heaps.insert(md, self.at.heap, body, &mut || self.ids())?;
        let sought = Sought::new(name);
        let record = self.name_record(&sought, &id, order)?;
        let inserted = self.by_name.insert(md, &record, &mut |found| self.compare(found, &sought));
        if let Err(error) = inserted {
            self.objects.heaps.remove(md, self.at.heap, &id, &mut || self.ids())?;
            return Err(error);
        }
        let Some(tree) = &self.by_order else { return Ok(()) };
        let record = self.order_record(&id, 0, order)?;
        tree.insert(md, &record, &mut |found| Ok(self.order_of(found).cmp(&order)))
    }

    /// What is called `name`.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<Entry>> {
        let sought = Sought::new(name);
        let found = self.by_name.find(self.md(), &mut |found| self.compare(found, &sought))?;
        found.map(|record| self.entry(&record)).transpose()
    }

    /// Every entry, in the order of the hashes of names.
    pub(crate) fn all(&self) -> Result<Vec<Entry>> {
        self.records()?.iter().map(|record| self.entry(record)).collect()
    }

    /// Removes what is called `name`; `order_of` tells its creation order where the record has none.
    pub(crate) fn remove(
        &self,
        name: &[u8],
        order_of: &dyn Fn(&Entry) -> Result<u64>,
    ) -> Result<Option<Entry>> {
        let md = self.md();
        self.objects.heaps.know(md, self.at.heap, &mut || self.ids())?;
        let sought = Sought::new(name);
        let Some(record) = self.by_name.remove(md, &mut |found| self.compare(found, &sought))? else {
            return Ok(None);
        };
        let entry = self.entry(&record)?;
        if let Some(tree) = &self.by_order {
            let order = order_of(&entry)?;
            tree.remove(md, &mut |found| Ok(self.order_of(found).cmp(&order)))?;
        }
        // A message that is shared is only led to from here.
        self.objects.heaps.remove(md, self.at.heap, &entry.id, &mut || self.ids())?;
        Ok(Some(entry))
    }

    /// Puts another body in the place of what is called `name`, with the same name and order.
    pub(crate) fn replace(&self, name: &[u8], entry: &Entry, body: &[u8]) -> Result<()> {
        let (md, heaps) = (self.md(), &self.objects.heaps);
        heaps.know(md, self.at.heap, &mut || self.ids())?;
        if entry.flags == 0 && heaps.overwrite(md, self.at.heap, (&entry.id, body), &mut || self.ids())? {
            return Ok(());
        }
        let id = heaps.insert(md, self.at.heap, body, &mut || self.ids())?;
        let form = self.form;
        let set = |record: &mut [u8], at: usize, flags_at: Option<usize>| {
            let field = record.get_mut(at..at.saturating_add(id.len()));
            field.ok_or_else(|| Error::malformed("a record without heap ID"))?.copy_from_slice(&id);
            if let Some(flags) = flags_at.and_then(|at| record.get_mut(at)) {
                *flags = 0;
            }
            Ok(())
        };
        let mut by_name = |record: &mut [u8]| set(record, form.id_at, form.flags_at);
        let sought = Sought::new(name);
        self.by_name.update(md, &mut |found| self.compare(found, &sought), &mut by_name)?;
        if let Some(tree) = &self.by_order {
            let mut by_order = |record: &mut [u8]| set(record, form.ordered_id_at, form.flags_at);
            tree.update(md, &mut |found| Ok(self.order_of(found).cmp(&entry.order)), &mut by_order)?;
        }
        heaps.remove(md, self.at.heap, &entry.id, &mut || self.ids())
    }

    /// Frees everything.
    pub(crate) fn delete(&self) -> Result<()> {
        self.objects.heaps.delete(self.md(), self.at.heap)?;
        if let Some(tree) = &self.by_order {
            tree.delete(self.md())?;
        }
        self.by_name.delete(self.md())
    }

    /// How a record by name is to a name: by hash, then by the name itself.
    fn compare(&self, record: &[u8], sought: &Sought<'_>) -> Result<Ordering> {
        let hash = field(record, self.form.hash_at, 4);
        match hash.cmp(&u64::from(sought.hash)) {
            Ordering::Equal => {
                let entry = self.entry(record)?;
                let found = (self.form.name_of)(self.objects, entry.flags, &entry.body);
                Ok(found.at(|| "in a heap")?.as_slice().cmp(sought.name))
            }
            other => Ok(other),
        }
    }

    fn order_of(&self, record: &[u8]) -> u64 {
        field(record, self.form.ordered_at, self.form.order_width)
    }

    fn entry(&self, record: &[u8]) -> Result<Entry> {
        let form = self.form;
        let size = usize::from(form.heap.id_size);
        let id = record.get(form.id_at..form.id_at.saturating_add(size)).unwrap_or_default().to_vec();
        let body = FractalHeap::open(self.md(), self.at.heap)?.get(self.md(), &id)?;
        let flags = form.flags_at.and_then(|at| record.get(at)).copied().unwrap_or(0);
        let order = form.order_at.map_or(0, |at| field(record, at, 4));
        Ok(Entry { body, flags, order, id })
    }

    fn ids(&self) -> Result<Vec<Vec<u8>>> {
        let size = usize::from(self.form.heap.id_size);
        let from = self.form.id_at;
        let records = self.records()?;
        Ok(records
            .iter()
            .filter_map(|record| record.get(from..from.saturating_add(size)))
            .map(<[u8]>::to_vec)
            .collect())
    }

    fn records(&self) -> Result<Vec<Vec<u8>>> {
        let mut all = All(Vec::new());
        self.by_name.walk(self.md(), &mut all)?;
        Ok(all.0)
    }

    fn name_record(&self, sought: &Sought<'_>, id: &[u8], order: u64) -> Result<Body> {
        let form = self.form;
        let mut record = Body::from_elem(0, usize::from(form.by_name.1));
        put(&mut record, form.hash_at, &sought.hash.to_le_bytes())?;
        put(&mut record, form.id_at, id)?;
        if let Some(at) = form.order_at {
            put(&mut record, at, order.to_le_bytes().get(..4).unwrap_or_default())?;
        }
        Ok(record)
    }

    fn order_record(&self, id: &[u8], flags: u8, order: u64) -> Result<Body> {
        let form = self.form;
        let mut record = Body::from_elem(0, usize::from(form.by_order.1));
        if let Some(at) = form.flags_at {
            put(&mut record, at, &[flags])?;
        }
        put(&mut record, form.ordered_at, order.to_le_bytes().get(..form.order_width).unwrap_or_default())?;
        put(&mut record, form.ordered_id_at, id)?;
        Ok(record)
    }
}

fn field(record: &[u8], at: usize, width: usize) -> u64 {
    little_endian(record.get(at..at.saturating_add(width)).unwrap_or_default())
}

fn put(record: &mut [u8], at: usize, value: &[u8]) -> Result<()> {
    let field = record.get_mut(at..at.saturating_add(value.len()));
    field.ok_or_else(|| Error::malformed("a record is too short"))?.copy_from_slice(value);
    Ok(())
}

struct All(Vec<Vec<u8>>);

impl Walk for All {
    fn wants(&mut self, _: Option<&[u8]>, _: Option<&[u8]>) -> Result<bool> {
        Ok(true)
    }

    fn found(&mut self, record: &[u8]) -> Result<()> {
        self.0.push(record.to_vec());
        Ok(())
    }
}
