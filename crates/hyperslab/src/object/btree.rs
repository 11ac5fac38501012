//! The version-2 B-trees of objects: links by name or order, attributes by name.
//!
//! Spec: III.A.2 "Version 2 B-trees", record types 5, 6 and 8.

use crate::error::{Error, Result};
use crate::format::btree_v2::{AttributeName, LinkName, LinkOrder};
use crate::format::bytes::{Address, Cursor, Widths, Wire};
use crate::format::checksum::lookup3;
use crate::metadata::Metadata;
use crate::metadata::btree_v2::{BTreeV2, Walk};
use std::cmp::Ordering;

/// A record of one type of tree.
pub(crate) trait Record: Wire {
    /// The type of tree it is in.
    const KIND: u8;
}

/// A record that is found by the hash of a name.
#[cfg_attr(
    not(any(test, feature = "fuzzing")),
    allow(dead_code, reason = "a second way to a record, that tests compare with")
)]
pub(crate) trait Named: Record {
    fn hash(&self) -> u32;
}

macro_rules! kinds {
    ($($record:ident $kind:literal)*) => { $( impl Record for $record { const KIND: u8 = $kind; } )* };
}
kinds! { LinkName 5 LinkOrder 6 AttributeName 8 }

impl Named for LinkName {
    fn hash(&self) -> u32 {
        self.hash
    }
}

impl Named for AttributeName {
    fn hash(&self) -> u32 {
        self.hash
    }
}

/// Every record of the tree at `address`, in its order.
pub(crate) fn records<R: Record>(md: &Metadata, address: Address) -> Result<Vec<R>> {
    let tree = open::<R>(md, address)?;
    let mut all = Vec::new();
    tree.walk(
        md,
        &mut All {
            widths: md.widths(),
            found: &mut |record| {
                all.push(record);
                Ok(())
            },
        },
    )?;
    let counted = tree.len(md)?;
    if all.len() as u64 == counted {
        return Ok(all);
    }
    Err(Error::malformed(format!("has {} records, its header counts {counted}", all.len()))
        .at(format!("B-tree header at {address}")))
}

/// Offers `accept` the heap ID of each record whose name has the hash of `name`, until it accepts one.
#[cfg_attr(
    not(any(test, feature = "fuzzing")),
    allow(dead_code, reason = "a second way to a record, that tests compare with")
)]
pub(crate) fn find_named<R: Named>(
    md: &Metadata,
    address: Address,
    name: &[u8],
    accept: &mut dyn FnMut(&R) -> Result<bool>,
) -> Result<bool> {
    let tree = open::<R>(md, address)?;
    let mut search = SameHash { widths: md.widths(), hash: lookup3(name), accept, done: false };
    tree.walk(md, &mut search)?;
    Ok(search.done)
}

/// The record of the order `order`, in a tree of links by their creation.
#[cfg_attr(not(test), expect(dead_code, reason = "listing links as they were created will use it"))]
pub(crate) fn find_link_by_order(md: &Metadata, address: Address, order: u64) -> Result<Option<LinkOrder>> {
    let tree = open::<LinkOrder>(md, address)?;
    let found =
        tree.find(md, &mut |record| Ok(parse::<LinkOrder>(record, md.widths())?.order.cmp(&order)))?;
    found.map(|record| parse(&record, md.widths())).transpose()
}

fn open<R: Record>(md: &Metadata, address: Address) -> Result<BTreeV2> {
    let tree = BTreeV2::open(md, address)?;
    if tree.kind() == R::KIND {
        return Ok(tree);
    }
    Err(Error::malformed(format!("B-tree type is {}, expected {}", tree.kind(), R::KIND))
        .at(format!("B-tree header at {address}")))
}

fn parse<R: Wire>(record: &[u8], widths: Widths) -> Result<R> {
    R::read(&mut Cursor::new(record, widths))
}

struct All<'a, R> {
    widths: Widths,
    found: &'a mut dyn FnMut(R) -> Result<()>,
}

impl<R: Record> Walk for All<'_, R> {
    fn wants(&mut self, _: Option<&[u8]>, _: Option<&[u8]>) -> Result<bool> {
        Ok(true)
    }

    fn found(&mut self, record: &[u8]) -> Result<()> {
        (self.found)(parse(record, self.widths)?)
    }
}

#[cfg_attr(
    not(any(test, feature = "fuzzing")),
    allow(dead_code, reason = "a second way to a record, that tests compare with")
)]
struct SameHash<'a, R> {
    widths: Widths,
    hash: u32,
    accept: &'a mut dyn FnMut(&R) -> Result<bool>,
    done: bool,
}

impl<R: Named> SameHash<'_, R> {
    #[cfg_attr(
        not(any(test, feature = "fuzzing")),
        allow(dead_code, reason = "a second way to a record, that tests compare with")
    )]
    fn compare(&self, record: Option<&[u8]>, without: Ordering) -> Result<Ordering> {
        record.map_or(Ok(without), |record| Ok(parse::<R>(record, self.widths)?.hash().cmp(&self.hash)))
    }
}

impl<R: Named> Walk for SameHash<'_, R> {
    fn wants(&mut self, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<bool> {
        let before = self.compare(low, Ordering::Less)? != Ordering::Greater;
        Ok(!self.done && before && self.compare(high, Ordering::Greater)? != Ordering::Less)
    }

    fn found(&mut self, record: &[u8]) -> Result<()> {
        if self.done {
            return Ok(());
        }
        let record: R = parse(record, self.widths)?;
        if record.hash() == self.hash {
            self.done = (self.accept)(&record)?;
        }
        Ok(())
    }
}
