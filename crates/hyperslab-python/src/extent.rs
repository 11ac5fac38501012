//! Extents as Python has them: lengths, and the most they may become.

use hyperslab::Extent;

/// The length of each axis, and its largest length where it has one.
pub(crate) type Dims = (Vec<u64>, Vec<Option<u64>>);

/// `None` for a null dataspace.
pub(crate) fn dims(extent: &Extent) -> Option<Dims> {
    match extent {
        Extent::Null => None,
        _ => Some((extent.dims().to_vec(), extent.max().to_vec())),
    }
}
