//! linx-caps
