//! linx-sys
