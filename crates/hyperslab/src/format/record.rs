//! `record!`: one declaration gives the struct, its reader and its writer.
//!
//! ```text
//! record! {
//!     /// What it is.  Spec: section.
//!     pub(crate) struct FixedArrayHeader [signature b"FAHD", version 0, sealed by checksum] {
//!         /// What the field means.
//!         client: u8;
//!         block: Option<Address>;
//!         order: u16 where flags & 1 != 0;   // on disk only when true; absent reads as default
//!     }
//! }
//! ```
//! A condition may use the names of earlier fields; it is the same text for both directions.

macro_rules! record {
    (
        $(#[$meta:meta])*
        pub(crate) struct $name:ident [$(signature $signature:literal,)? $(version $version:literal,)? $(sealed by $checksum:ident)?] {
            $( $(#[$field_meta:meta])* $field:ident : $type:ty $(where $condition:expr)? ; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $name { $( $(#[$field_meta])* pub(crate) $field: $type, )* }

        impl $crate::format::bytes::Wire for $name {
            fn read(cursor: &mut $crate::format::bytes::Cursor<'_>) -> $crate::error::Result<Self> {
                #[allow(unused_variables, reason = "only a checksummed record looks back")]
                let start = cursor.position();
                $( cursor.signature(*$signature)?; )?
                $( cursor.version(&[$version])?; )?
                $( let $field: $type = record!(@take cursor, $type $(, $condition)?); )*
                $( record!(@verify $checksum cursor start); )?
                Ok(Self { $($field),* })
            }

            fn write(&self, sink: &mut $crate::format::bytes::Sink) -> $crate::error::Result<()> {
                #[allow(unused_variables, reason = "only a checksummed record looks back")]
                let start = sink.position();
                $( sink.put($signature); )?
                $( sink.u8($version); )?
                #[allow(unused_variables, reason = "conditions name some fields only")]
                let Self { $($field),* } = self.clone();
                $( record!(@put sink, $field $(, $condition)?); )*
                $( record!(@seal $checksum sink start); )?
                Ok(())
            }
        }
    };
    (@take $cursor:ident, $type:ty) => { $crate::format::bytes::Field::take($cursor)? };
    (@take $cursor:ident, $type:ty, $condition:expr) => {
        if $condition { $crate::format::bytes::Field::take($cursor)? } else { <$type>::default() }
    };
    (@put $sink:ident, $field:ident) => { $crate::format::bytes::Field::put(&$field, $sink)? };
    (@put $sink:ident, $field:ident, $condition:expr) => {
        if $condition { $crate::format::bytes::Field::put(&$field, $sink)? }
    };
    (@verify checksum $cursor:ident $start:ident) => { $cursor.checksum($start)? };
    (@seal checksum $sink:ident $start:ident) => { $sink.checksum($start) };
}
