//! What is done to a chunk between memory and file: [`FilterPipeline`], and one file per filter.

pub(crate) mod create;

mod bitplane;
mod bits;
mod bitshuffle;
mod blosc;
mod bzip2;
mod deflate;
#[cfg(test)]
mod encode_tests;
mod fletcher32;
mod lz4;
mod lz4_block;
mod lzf;
mod names;
mod nbit;
mod pipeline;
mod scale_offset;
mod shuffle;
mod szip;
mod szip_encode;
#[cfg(test)]
mod tests;
mod widest;
mod window;
mod zstd;

pub(crate) use pipeline::{Filter, FilterPipeline, Scratch};
