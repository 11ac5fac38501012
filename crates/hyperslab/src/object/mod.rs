//! What objects are: headers, links, attributes, and the heaps and trees that hold them.

pub(crate) mod header;
