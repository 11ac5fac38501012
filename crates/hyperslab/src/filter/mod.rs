//! What is done to a chunk between memory and file: [`FilterPipeline`], and one file per filter.

mod bitplane;
mod bits;
mod bitshuffle;
mod blosc;
mod bzip2;
mod deflate;
mod fletcher32;
mod lz4;
mod lzf;
mod names;
mod nbit;
mod pipeline;
mod scale_offset;
mod shuffle;
mod szip;
#[cfg(test)]
mod tests;
mod window;
mod zstd;

pub(crate) use pipeline::{Filter, FilterPipeline, Scratch};
