//! linx-sys

pub mod status;
