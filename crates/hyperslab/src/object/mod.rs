//! What objects are: headers, links, attributes, and the heaps and trees that hold them.

pub(crate) mod btree;
pub(crate) mod fractal_heap;
pub(crate) mod global_heap;
pub(crate) mod header;
pub(crate) mod local_heap;
pub(crate) mod symbol_table;

#[cfg(test)]
mod heap_tests;
