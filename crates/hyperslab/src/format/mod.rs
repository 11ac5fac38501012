//! Every structure of the file format specification: bytes to values and back, pure.
//!
//! A structure is declared once, for both directions, with [`record!`](record) where its shape is
//! plain and by hand ([`Wire`](bytes::Wire), both directions adjacent) where it is not.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions, reason = "tests may"))]

#[macro_use]
mod record;
pub(crate) mod btree_v1;
pub(crate) mod btree_v2;
pub(crate) mod bytes;
pub(crate) mod cache_image;
pub(crate) mod checksum;
pub(crate) mod extensible_array;
pub(crate) mod fixed_array;
pub(crate) mod fractal_heap;
pub(crate) mod global_heap;
pub(crate) mod local_heap;
pub(crate) mod message;
pub(crate) mod object_header;
pub(crate) mod selection;
pub(crate) mod superblock;
pub(crate) mod symbol_table;
pub(crate) mod virtual_block;
