//! Making groups: not yet built in.
#![allow(dead_code, reason = "being built")]
use crate::error::{Error, Result};
use crate::format::bytes::Address;
use crate::object::Objects;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupOptions {
    pub(crate) track_order: bool,
}

pub(crate) fn create(_: &Objects, _: GroupOptions) -> Result<Address> {
    Err(Error::unsupported("making files this way is not yet built in; NewFile makes them"))
}
