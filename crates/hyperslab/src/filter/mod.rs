//! What is done to a chunk between memory and file: [`FilterPipeline`], and one file per filter.

mod bits;
mod deflate;
mod fletcher32;
mod names;
mod pipeline;
mod shuffle;

pub(crate) use pipeline::{Filter, FilterPipeline, Scratch};
