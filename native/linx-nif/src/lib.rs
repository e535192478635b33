//! linx-nif
