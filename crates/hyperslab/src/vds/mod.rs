//! (room vds)
