//! The link message: a name in a group and what it leads to.
//!
//! Spec: IV.A.2.g "The Link Message".

use crate::error::{Error, Result};
use crate::format::bytes::{Address, Cursor, Sink, Wire};
use crate::format::message::dense::DenseInfo;

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkTarget {
    /// An object header in this file.
    Hard(Address),
    /// A path in this file, which may lead nowhere.
    Soft(Vec<u8>),
    /// A path in another file.
    External { file: Vec<u8>, path: Vec<u8> },
    /// Something only the program that made it understands.
    User { class: u8, value: Vec<u8> },
}

/// One link of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkMessage {
    pub(crate) name: Vec<u8>,
    pub(crate) target: LinkTarget,
    /// Position in the order of creation, where the group tracks it.
    pub(crate) order: Option<u64>,
    /// Whether the name is UTF-8; else ASCII.
    pub(crate) utf8: bool,
}

const SOFT: u8 = 1;
const EXTERNAL: u8 = 64;

impl Wire for LinkMessage {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        cursor.version(&[1])?;
        let flags = cursor.u8()?;
        if flags & 0xe0 != 0 {
            return Err(Error::malformed(format!("link flags are {flags:#x}, bits 5 to 7 must be 0")));
        }
        let class = if flags & 8 != 0 { cursor.u8()? } else { 0 };
        let order = if flags & 4 != 0 { Some(cursor.u64()?) } else { None };
        let utf8 = flags & 16 != 0 && cursor.u8()? == 1;
        let width = 1_usize.checked_shl(u32::from(flags & 3)).unwrap_or(8);
        let length = usize::try_from(cursor.uint(width)?).unwrap_or(usize::MAX);
        if length == 0 {
            return Err(Error::malformed("a link has an empty name"));
        }
        let name = cursor.take(length)?.to_vec();
        let target = read_target(cursor, class)?;
        Ok(Self { name, target, order, utf8 })
    }

    fn write(&self, sink: &mut Sink) -> Result<()> {
        let length = u64::try_from(self.name.len()).unwrap_or(u64::MAX);
        let bits: u8 = if length < 0x100 {
            0
        } else if length < 0x1_0000 {
            1
        } else {
            2
        };
        let class = self.target.class();
        let flags = bits
            | if class == 0 { 0 } else { 8 }
            | if self.order.is_some() { 4 } else { 0 }
            | if self.utf8 { 16 } else { 0 };
        sink.put(&[1, flags]);
        if class != 0 {
            sink.u8(class);
        }
        if let Some(order) = self.order {
            sink.u64(order);
        }
        if self.utf8 {
            sink.u8(1);
        }
        sink.uint(length, 1_usize.checked_shl(u32::from(bits)).unwrap_or(4))?;
        sink.put(&self.name);
        write_target(&self.target, sink)
    }
}

impl LinkTarget {
    fn class(&self) -> u8 {
        match self {
            Self::Hard(_) => 0,
            Self::Soft(_) => SOFT,
            Self::External { .. } => EXTERNAL,
            Self::User { class, .. } => *class,
        }
    }
}

fn read_target(cursor: &mut Cursor<'_>, class: u8) -> Result<LinkTarget> {
    if class == 0 {
        let address = cursor.address()?.ok_or_else(|| Error::malformed("a hard link has no address"))?;
        return Ok(LinkTarget::Hard(address));
    }
    let length = usize::from(cursor.u16()?);
    let value = cursor.take(length)?;
    match class {
        SOFT if value.is_empty() => Err(Error::malformed("a soft link has an empty path")),
        SOFT => Ok(LinkTarget::Soft(value.to_vec())),
        EXTERNAL => {
            let mut value = Cursor::new(value, cursor.widths());
            let flags = value.u8()?;
            if flags != 0 {
                return Err(Error::malformed(format!("external link flags are {flags:#x}, expected 0")));
            }
            Ok(LinkTarget::External { file: value.until_nul()?.to_vec(), path: value.until_nul()?.to_vec() })
        }
        class if class < EXTERNAL => {
            Err(Error::malformed(format!("link class is {class}, expected 0, 1 or at least 64")))
        }
        class => Ok(LinkTarget::User { class, value: value.to_vec() }),
    }
}

fn write_target(target: &LinkTarget, sink: &mut Sink) -> Result<()> {
    let value = match target {
        LinkTarget::Hard(address) => return sink.address(Some(*address)),
        LinkTarget::Soft(path) => path.clone(),
        LinkTarget::External { file, path } => [&[0], file.as_slice(), &[0], path.as_slice(), &[0]].concat(),
        LinkTarget::User { value, .. } => value.clone(),
    };
    sink.uint(u64::try_from(value.len()).unwrap_or(u64::MAX), 2)?;
    sink.put(&value);
    Ok(())
}

/// How a group stores its links.  Spec: IV.A.2.c "The Link Info Message".
pub(crate) type LinkInfo = DenseInfo<u64>;
