//! The datatype message: a class, its properties, and the datatypes within it.
//!
//! Spec: IV.A.2.d "The Datatype Message".

use crate::datatype::{
    Array, Bitfield, ByteOrder, CharacterSet, Class, Complex, Compound, Datatype, Enumeration, FixedString,
    Float, Integer, Member, Normalization, Opaque, Reference, ReferenceKind, StringPadding, Time,
    VariableKind, VariableLength,
};
use crate::error::{Error, Place, Result, to_usize};
use crate::format::bytes::{Bounds, Cursor, Sink, Wire};

/// Datatypes within datatypes, at most: a bound on recursion that no real file comes near.
const MAX_DEPTH: u32 = 32;

/// Dimensions a member of a version-1 compound may have of its own.
const MEMBER_DIMS: usize = 4;

/// The eight bytes every datatype begins with.
#[derive(Clone, Copy, Debug)]
struct Header {
    version: u8,
    class: u8,
    /// The class bit field: 24 bits.
    flags: u32,
    size: usize,
}

impl Header {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let [first, low, middle, high] = cursor.array()?;
        let size = to_usize(u64::from(cursor.u32()?))?;
        let (version, class) = (first >> 4, first & 0x0f);
        if !(1..=5).contains(&version) {
            return Err(Error::malformed(format!("version is {version}, expected 1 to 5")));
        }
        if size == 0 {
            return Err(Error::malformed("an element has 0 bytes, at least 1 expected"));
        }
        Ok(Self { version, class, flags: u32::from_le_bytes([low, middle, high, 0]), size })
    }

    fn flag(self, bit: u32) -> bool {
        self.flags.checked_shr(bit).unwrap_or(0) & 1 == 1
    }

    /// Four bits from `bit` up.
    fn nibble(self, bit: u32) -> u32 {
        self.flags.checked_shr(bit).unwrap_or(0) & 0x0f
    }

    /// Members of a compound or an enumeration.
    fn count(self) -> u64 {
        u64::from(self.flags & 0xffff)
    }

    fn order(self) -> ByteOrder {
        if self.flag(0) { ByteOrder::Big } else { ByteOrder::Little }
    }

    /// Fails unless bits `offset..offset + precision` are there, and some at all.
    fn expect_bits(self, offset: u16, precision: u16) -> Result<()> {
        let end = u64::from(offset).saturating_add(u64::from(precision));
        if precision != 0 && usize::try_from(end.div_ceil(8)).is_ok_and(|bytes| bytes <= self.size) {
            return Ok(());
        }
        Err(Error::malformed(format!("{precision} bits at {offset} do not lie in {} bytes", self.size)))
    }
}

impl Wire for Datatype {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        read(cursor, 0)
    }

    /// Writes the version that was read, or the one libhdf5 would choose for the readers if that is newer.
    fn write(&self, sink: &mut Sink) -> Result<()> {
        write(self, sink)
    }
}

fn read(cursor: &mut Cursor<'_>, depth: u32) -> Result<Datatype> {
    if depth > MAX_DEPTH {
        return Err(Error::limit(format!("more than {MAX_DEPTH} datatypes within each other")));
    }
    let depth = depth.saturating_add(1);
    let header = Header::read(cursor)?;
    let class = match header.class {
        0 => read_integer(header, cursor).at(|| "integer")?,
        1 => read_float(header, cursor).at(|| "floating-point")?,
        2 => read_time(header, cursor).at(|| "time")?,
        3 => Class::String(FixedString {
            padding: padding(header.nibble(0))?,
            character_set: characters(header.nibble(4))?,
        }),
        4 => read_bitfield(header, cursor).at(|| "bitfield")?,
        5 => {
            let length = usize::from(u8::try_from(header.flags & 0xff).unwrap_or(u8::MAX));
            Class::Opaque(Opaque::new(cursor.take(length).at(|| "opaque tag")?.to_vec()))
        }
        6 => read_compound(header, cursor, depth).at(|| "compound")?,
        7 => read_reference(header)?,
        8 => read_enumeration(header, cursor, depth).at(|| "enumeration")?,
        9 => read_variable_length(header, cursor, depth).at(|| "variable-length")?,
        10 => read_array(header, cursor, depth).at(|| "array")?,
        11 => read_complex(header, cursor, depth).at(|| "complex")?,
        other => return Err(Error::malformed(format!("datatype class is {other}, expected 0 to 11"))),
    };
    // An array of version 1 stands for the dimensions of a member; see `read_member`.
    let version = if header.class == 10 { header.version.max(2) } else { header.version };
    Ok(Datatype::new(header.size, version, class))
}

/// The version a datatype is written as: what it was read with, what its parts need, and for classes that a newer
/// version says shorter what the readers know.
fn version(datatype: &Datatype, low: u8) -> u8 {
    let own = datatype.version();
    match datatype.class() {
        Class::Compound(compound) => {
            let members = compound.members().iter().map(|member| member_version(member.datatype(), low));
            members.max().unwrap_or(1).max(own).max(low)
        }
        Class::Enumeration(enumeration) => own.max(low).max(version(enumeration.base(), low)),
        Class::Array(array) => own.max(2).max(low).max(version(array.base(), low)),
        Class::VariableLength(variable) => own.max(version(variable.base(), low)),
        Class::Complex(complex) => own.max(5).max(version(complex.base(), low)),
        Class::Float(float) if float.order == ByteOrder::Vax => own.max(3),
        _ => own,
    }
}

/// As [`version`]; dimensions that a version-1 member has itself need no later one.
fn member_version(datatype: &Datatype, low: u8) -> u8 {
    match datatype.class() {
        Class::Array(array) if datatype.version() < 2 => low.max(version(array.base(), low)),
        _ => version(datatype, low),
    }
}

/// The version in which classes that have a shorter form are written for `bounds`.
fn lowest(bounds: Bounds) -> u8 {
    if bounds == Bounds::Earliest { 1 } else { 3 }
}

fn write(datatype: &Datatype, sink: &mut Sink) -> Result<()> {
    match datatype.class() {
        Class::Integer(integer) => write_integer(datatype, *integer, sink),
        Class::Float(float) => write_float(datatype, float, sink),
        Class::Time(time) => {
            put_header(datatype, 2, u32::from(time.order == ByteOrder::Big), sink)?;
            sink.u16(time.precision);
            Ok(())
        }
        Class::String(string) => {
            let flags = padding_code(string.padding) | characters_code(string.character_set) << 4;
            put_header(datatype, 3, flags, sink).map(|_| ())
        }
        Class::Bitfield(bits) => {
            let flags = order_and_padding(bits.order, bits.low_padding, bits.high_padding);
            put_header(datatype, 4, flags, sink)?;
            sink.u16(bits.offset);
            sink.u16(bits.precision);
            Ok(())
        }
        Class::Opaque(opaque) => {
            let tag = opaque.stored_tag();
            let length =
                u8::try_from(tag.len()).map_err(|_| Error::usage("an opaque tag of more than 255 bytes"))?;
            put_header(datatype, 5, u32::from(length), sink)?;
            sink.put(tag);
            Ok(())
        }
        Class::Compound(compound) => write_compound(datatype, compound, sink),
        Class::Reference(reference) => {
            let flags = reference_code(reference.kind) | u32::from(reference.encoding & 15) << 4;
            put_header(datatype, 7, flags, sink).map(|_| ())
        }
        Class::Enumeration(enumeration) => write_enumeration(datatype, enumeration, sink),
        Class::VariableLength(variable) => write_variable_length(datatype, variable, sink),
        Class::Array(array) => write_array(datatype, array, sink),
        Class::Complex(complex) => {
            put_header(datatype, 11, 1, sink)?;
            write(complex.base(), sink)
        }
    }
}

/// Puts the eight bytes every datatype begins with; gives the version it chose.
fn put_header(datatype: &Datatype, class: u8, flags: u32, sink: &mut Sink) -> Result<u8> {
    let size = u32::try_from(datatype.size()).map_err(|_| {
        Error::usage(format!("{datatype} has {} bytes, the format has 32 bits", datatype.size()))
    })?;
    let version = version(datatype, lowest(sink.bounds()));
    sink.u8((version & 15) << 4 | class);
    sink.uint(u64::from(flags), 3)?;
    sink.u32(size);
    Ok(version)
}

fn order_and_padding(order: ByteOrder, low: bool, high: bool) -> u32 {
    u32::from(order != ByteOrder::Little) | u32::from(low) << 1 | u32::from(high) << 2
}

fn read_integer(header: Header, cursor: &mut Cursor<'_>) -> Result<Class> {
    let (offset, precision) = (cursor.u16()?, cursor.u16()?);
    header.expect_bits(offset, precision)?;
    Ok(Class::Integer(Integer {
        order: header.order(),
        signed: header.flag(3),
        offset,
        precision,
        low_padding: header.flag(1),
        high_padding: header.flag(2),
    }))
}

fn write_integer(datatype: &Datatype, integer: Integer, sink: &mut Sink) -> Result<()> {
    let flags = order_and_padding(integer.order, integer.low_padding, integer.high_padding);
    put_header(datatype, 0, flags | u32::from(integer.signed) << 3, sink)?;
    sink.u16(integer.offset);
    sink.u16(integer.precision);
    Ok(())
}

fn read_bitfield(header: Header, cursor: &mut Cursor<'_>) -> Result<Class> {
    let (offset, precision) = (cursor.u16()?, cursor.u16()?);
    header.expect_bits(offset, precision)?;
    let (low_padding, high_padding) = (header.flag(1), header.flag(2));
    Ok(Class::Bitfield(Bitfield { order: header.order(), offset, precision, low_padding, high_padding }))
}

fn read_time(header: Header, cursor: &mut Cursor<'_>) -> Result<Class> {
    let precision = cursor.u16()?;
    header.expect_bits(0, precision)?;
    Ok(Class::Time(Time { order: header.order(), precision }))
}

fn read_float(header: Header, cursor: &mut Cursor<'_>) -> Result<Class> {
    let order = match (header.flag(0), header.flag(6) && header.version >= 3) {
        (big, false) if big => ByteOrder::Big,
        (_, false) => ByteOrder::Little,
        (true, true) => ByteOrder::Vax,
        (false, true) => return Err(Error::malformed("byte order bits are 0 and 1, a reserved pair")),
    };
    let normalization = match (header.flag(4), header.flag(5)) {
        (false, false) => Normalization::None,
        (true, false) => Normalization::Set,
        (false, true) => Normalization::Implied,
        (true, true) => return Err(Error::malformed("mantissa normalization is 3, expected 0 to 2")),
    };
    let [_, sign, _, _] = header.flags.to_le_bytes();
    let (offset, precision) = (cursor.u16()?, cursor.u16()?);
    let [exponent, exponent_size, mantissa, mantissa_size] = cursor.array()?;
    let exponent_bias = cursor.u32()?;
    header.expect_bits(offset, precision)?;
    header.expect_bits(u16::from(sign), 1).at(|| "sign")?;
    header.expect_bits(u16::from(exponent), u16::from(exponent_size)).at(|| "exponent")?;
    header.expect_bits(u16::from(mantissa), u16::from(mantissa_size)).at(|| "mantissa")?;
    Ok(Class::Float(Float {
        order,
        normalization,
        offset,
        precision,
        sign,
        exponent,
        exponent_size,
        exponent_bias,
        mantissa,
        mantissa_size,
        low_padding: header.flag(1),
        high_padding: header.flag(2),
        internal_padding: header.flag(3),
    }))
}

fn write_float(datatype: &Datatype, float: &Float, sink: &mut Sink) -> Result<()> {
    let normalization: u32 = match float.normalization {
        Normalization::None => 0,
        Normalization::Set => 1,
        Normalization::Implied => 2,
    };
    let flags = order_and_padding(float.order, float.low_padding, float.high_padding)
        | u32::from(float.internal_padding) << 3
        | normalization << 4
        | u32::from(float.order == ByteOrder::Vax) << 6
        | u32::from(float.sign) << 8;
    put_header(datatype, 1, flags, sink)?;
    sink.u16(float.offset);
    sink.u16(float.precision);
    sink.put(&[float.exponent, float.exponent_size, float.mantissa, float.mantissa_size]);
    sink.u32(float.exponent_bias);
    Ok(())
}

fn padding(code: u32) -> Result<StringPadding> {
    match code {
        0 => Ok(StringPadding::NullTerminated),
        1 => Ok(StringPadding::NullPadded),
        2 => Ok(StringPadding::SpacePadded),
        _ => Err(Error::malformed(format!("string padding is {code}, expected 0 to 2"))),
    }
}

fn padding_code(padding: StringPadding) -> u32 {
    match padding {
        StringPadding::NullTerminated => 0,
        StringPadding::NullPadded => 1,
        StringPadding::SpacePadded => 2,
    }
}

fn characters(code: u32) -> Result<CharacterSet> {
    match code {
        0 => Ok(CharacterSet::Ascii),
        1 => Ok(CharacterSet::Utf8),
        _ => Err(Error::malformed(format!("character set is {code}, expected 0 or 1"))),
    }
}

fn characters_code(set: CharacterSet) -> u32 {
    match set {
        CharacterSet::Ascii => 0,
        CharacterSet::Utf8 => 1,
    }
}

fn read_reference(header: Header) -> Result<Class> {
    let kind = match header.nibble(0) {
        0 => ReferenceKind::Object,
        1 => ReferenceKind::Region,
        2 => ReferenceKind::RevisedObject,
        3 => ReferenceKind::RevisedRegion,
        4 => ReferenceKind::Attribute,
        other => return Err(Error::malformed(format!("reference type is {other}, expected 0 to 4"))),
    };
    let encoding = u8::try_from(header.nibble(4)).unwrap_or(0);
    Ok(Class::Reference(Reference { kind, encoding }))
}

fn reference_code(kind: ReferenceKind) -> u32 {
    match kind {
        ReferenceKind::Object => 0,
        ReferenceKind::Region => 1,
        ReferenceKind::RevisedObject => 2,
        ReferenceKind::RevisedRegion => 3,
        ReferenceKind::Attribute => 4,
    }
}

/// A name; before version 3 it is filled with NULs to a multiple of eight bytes, at least one.
fn read_name(version: u8, cursor: &mut Cursor<'_>) -> Result<Vec<u8>> {
    let name = cursor.until_nul()?;
    if version < 3 {
        cursor.skip(name_filler(name))?;
    }
    Ok(name.to_vec())
}

fn write_name(version: u8, name: &[u8], sink: &mut Sink) {
    sink.put(name);
    sink.u8(0);
    if version < 3 {
        sink.zeros(name_filler(name));
    }
}

/// NULs behind the one that ends a name.
fn name_filler(name: &[u8]) -> usize {
    7_usize.saturating_sub(name.len() % 8)
}

/// Bytes that hold a member's offset in version 3: as few as the size of the compound needs.
fn offset_width(size: usize) -> usize {
    match size {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    }
}

fn read_compound(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Class> {
    // A name, an offset and the eight bytes every datatype has.
    let count = cursor.expect_items(header.count(), 10)?;
    let mut members = Vec::with_capacity(count);
    for index in 0..count {
        members.push(read_member(header, cursor, depth).at(|| format!("member {index}"))?);
    }
    Ok(Class::Compound(Compound::new(members, header.size)?))
}

fn read_member(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Member> {
    let name = read_name(header.version, cursor)?;
    let width = if header.version < 3 { 4 } else { offset_width(header.size) };
    let offset = to_usize(cursor.uint(width)?)?;
    let dims = if header.version == 1 { read_member_dims(cursor)? } else { Vec::new() };
    let datatype = read(cursor, depth)?;
    if dims.is_empty() {
        return Ok(Member::new(name, offset, datatype));
    }
    let (array, size) = Array::new(datatype, dims)?;
    Ok(Member::new(name, offset, Datatype::new(size, 1, Class::Array(array))))
}

fn read_member_dims(cursor: &mut Cursor<'_>) -> Result<Vec<u32>> {
    let rank = usize::from(cursor.u8()?);
    if rank > MEMBER_DIMS {
        return Err(Error::malformed(format!(
            "a member has {rank} dimensions, at most {MEMBER_DIMS} expected"
        )));
    }
    // Reserved bytes, a permutation no library ever used, and reserved bytes again.
    cursor.skip(3 + 4 + 4)?;
    let mut dims = Vec::with_capacity(MEMBER_DIMS);
    for _ in 0..MEMBER_DIMS {
        dims.push(cursor.u32()?);
    }
    dims.truncate(rank);
    Ok(dims)
}

fn write_compound(datatype: &Datatype, compound: &Compound, sink: &mut Sink) -> Result<()> {
    let members = compound.members();
    let count = u16::try_from(members.len())
        .map_err(|_| Error::usage(format!("a compound of {} members, at most 65535 fit", members.len())))?;
    let version = put_header(datatype, 6, u32::from(count), sink)?;
    for member in members {
        write_name(version, member.name_bytes(), sink);
        let width = if version < 3 { 4 } else { offset_width(datatype.size()) };
        sink.uint(u64::try_from(member.offset()).unwrap_or(u64::MAX), width)?;
        if version > 1 {
            write(member.datatype(), sink)?;
            continue;
        }
        match member.datatype().class() {
            Class::Array(array) if member.datatype().version() < 2 => {
                write_member_dims(array.dims(), sink)?;
                write(array.base(), sink)?;
            }
            _ => {
                write_member_dims(&[], sink)?;
                write(member.datatype(), sink)?;
            }
        }
    }
    Ok(())
}

fn write_member_dims(dims: &[u32], sink: &mut Sink) -> Result<()> {
    let rank = u8::try_from(dims.len()).ok().filter(|rank| usize::from(*rank) <= MEMBER_DIMS);
    sink.u8(
        rank.ok_or_else(|| Error::usage(format!("a member of {} dimensions, at most 4 fit", dims.len())))?
    );
    sink.zeros(3 + 4 + 4);
    for index in 0..MEMBER_DIMS {
        sink.u32(dims.get(index).copied().unwrap_or(0));
    }
    Ok(())
}

fn read_enumeration(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Class> {
    let base = read(cursor, depth)?;
    if base.size() != header.size {
        return Err(Error::malformed(format!("{} bytes, but {base} has {}", header.size, base.size())));
    }
    let count = cursor.expect_items(header.count(), base.size().saturating_add(1))?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(read_name(header.version, cursor)?);
    }
    let length = count.checked_mul(base.size()).ok_or_else(|| Error::malformed("values without end"))?;
    let values = cursor.take(length)?.to_vec();
    Ok(Class::Enumeration(Enumeration::new(base, names, values)?))
}

fn write_enumeration(datatype: &Datatype, enumeration: &Enumeration, sink: &mut Sink) -> Result<()> {
    let count = enumeration.stored().count();
    let count =
        u16::try_from(count).map_err(|_| Error::usage(format!("{count} names, at most 65535 fit")))?;
    let version = put_header(datatype, 8, u32::from(count), sink)?;
    write(enumeration.base(), sink)?;
    for (name, _) in enumeration.stored() {
        write_name(version, name, sink);
    }
    sink.put(enumeration.values());
    Ok(())
}

fn read_variable_length(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Class> {
    let kind = match header.nibble(0) {
        0 => VariableKind::Sequence,
        1 => VariableKind::String {
            padding: padding(header.nibble(4))?,
            characters: characters(header.nibble(8))?,
        },
        other => return Err(Error::malformed(format!("kind is {other}, expected 0 or 1"))),
    };
    Ok(Class::VariableLength(VariableLength::new(kind, read(cursor, depth)?)))
}

fn write_variable_length(datatype: &Datatype, variable: &VariableLength, sink: &mut Sink) -> Result<()> {
    let flags = match variable.kind() {
        VariableKind::Sequence => 0,
        VariableKind::String { padding, characters } => {
            1 | padding_code(padding) << 4 | characters_code(characters) << 8
        }
    };
    put_header(datatype, 9, flags, sink)?;
    write(variable.base(), sink)
}

fn read_array(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Class> {
    let rank = cursor.u8()?;
    if header.version < 3 {
        cursor.skip(3)?;
    }
    let count = cursor.expect_items(u64::from(rank), 4)?;
    let mut dims = Vec::with_capacity(count);
    for _ in 0..count {
        dims.push(cursor.u32()?);
    }
    if header.version < 3 {
        // A permutation no library ever used.
        cursor.skip(count.saturating_mul(4))?;
    }
    let (array, size) = Array::new(read(cursor, depth)?, dims)?;
    if size != header.size {
        return Err(Error::malformed(format!("{} bytes, its elements have {size}", header.size)));
    }
    Ok(Class::Array(array))
}

fn write_array(datatype: &Datatype, array: &Array, sink: &mut Sink) -> Result<()> {
    let version = put_header(datatype, 10, 0, sink)?;
    let dims = array.dims();
    sink.uint(u64::try_from(dims.len()).unwrap_or(u64::MAX), 1)?;
    let padded = version < 3;
    if padded {
        sink.zeros(3);
    }
    for dim in dims {
        sink.u32(*dim);
    }
    if padded {
        (0_u32..).zip(dims).for_each(|(index, _)| sink.u32(index));
    }
    write(array.base(), sink)
}

fn read_complex(header: Header, cursor: &mut Cursor<'_>, depth: u32) -> Result<Class> {
    if header.flags & 0x07 != 1 {
        return Err(Error::unsupported(format!(
            "form bits are {:#05b}, only rectangular with equal parts (0b001) is known",
            header.flags & 0x07
        )));
    }
    let base = read(cursor, depth)?;
    if base.size().checked_mul(2) != Some(header.size) {
        return Err(Error::malformed(format!(
            "{} bytes, expected twice the {} of {base}",
            header.size,
            base.size()
        )));
    }
    Ok(Class::Complex(Complex::new(base)?))
}

#[cfg(test)]
mod tests;
