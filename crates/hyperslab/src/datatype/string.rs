//! Strings of fixed length, and opaque bytes.

use super::convert::until_nul;
use super::{Class, Datatype};

/// How a string shorter than its bytes is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringPadding {
    /// Ends at the first NUL, which is always there.
    NullTerminated,
    /// Filled with NUL.
    NullPadded,
    /// Filled with spaces.
    SpacePadded,
}

/// What the bytes of a string mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CharacterSet {
    /// One byte per character.
    Ascii,
    /// `UTF-8`.
    Utf8,
}

/// Characters in a fixed number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FixedString {
    /// How it is filled up.
    pub padding: StringPadding,
    /// What the bytes mean.
    pub character_set: CharacterSet,
}

impl FixedString {
    /// The characters of an element without what fills it up.
    #[must_use]
    pub fn trim<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let filler = match self.padding {
            StringPadding::NullTerminated => return until_nul(bytes),
            StringPadding::NullPadded => 0,
            StringPadding::SpacePadded => b' ',
        };
        let length = bytes.iter().rposition(|byte| *byte != filler).map_or(0, |last| last + 1);
        bytes.get(..length).unwrap_or_default()
    }

    /// The characters as a conversion sees them: those before the first NUL, or before trailing spaces.
    pub(super) fn characters(self, bytes: &[u8]) -> &[u8] {
        match self.padding {
            StringPadding::NullTerminated | StringPadding::NullPadded => until_nul(bytes),
            StringPadding::SpacePadded => self.trim(bytes),
        }
    }

    /// Makes `element` a string of these characters, as many as fit.
    pub(super) fn fill(self, characters: &[u8], element: &mut [u8]) {
        let (filler, room) = match self.padding {
            StringPadding::NullTerminated => (0, element.len().saturating_sub(1)),
            StringPadding::NullPadded => (0, element.len()),
            StringPadding::SpacePadded => (b' ', element.len()),
        };
        let length = characters.len().min(room);
        element.fill(filler);
        element.iter_mut().zip(characters).take(length).for_each(|(to, from)| *to = *from);
    }
}

/// Bytes of which only their owner knows the meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opaque {
    tag: Vec<u8>,
}

impl Opaque {
    /// `tag` as it is stored, NULs at its end included.
    pub(crate) fn new(tag: Vec<u8>) -> Self {
        Self { tag }
    }

    /// What the owner calls these bytes.
    #[must_use]
    pub fn tag(&self) -> &[u8] {
        until_nul(&self.tag)
    }

    pub(crate) fn stored_tag(&self) -> &[u8] {
        &self.tag
    }
}

impl Datatype {
    /// A string in `length` bytes (at least one), filled with NUL, `UTF-8`.
    #[must_use]
    pub fn string(length: usize) -> Self {
        Self::string_as(length, StringPadding::NullPadded, CharacterSet::Utf8)
    }

    /// A string in `length` bytes (at least one), with the given padding and characters.
    #[must_use]
    pub fn string_as(length: usize, padding: StringPadding, characters: CharacterSet) -> Self {
        Self::new(length.max(1), 1, Class::String(FixedString { padding, character_set: characters }))
    }

    /// `size` bytes (at least one) that `tag` names; only the first 247 bytes of the tag are kept.
    #[must_use]
    pub fn opaque(size: usize, tag: &str) -> Self {
        let mut tag: Vec<u8> = tag.bytes().take_while(|byte| *byte != 0).take(247).collect();
        tag.resize(tag.len().next_multiple_of(8), 0);
        Self::new(size.max(1), 1, Class::Opaque(Opaque::new(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::{CharacterSet, FixedString, StringPadding};

    #[test]
    fn each_padding_ends_a_string_its_own_way() {
        let trim = |padding, bytes| FixedString { padding, character_set: CharacterSet::Ascii }.trim(bytes);
        assert_eq!(trim(StringPadding::NullTerminated, b"a\0b\0"), b"a");
        assert_eq!(trim(StringPadding::NullPadded, b"a\0b\0"), b"a\0b");
        assert_eq!(trim(StringPadding::SpacePadded, b"a b  "), b"a b");
        assert_eq!(trim(StringPadding::NullTerminated, b"abc"), b"abc");
    }
}
