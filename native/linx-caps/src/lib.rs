//! The model of Linux capabilities: names, sets, texts, codecs and rules.
//!
//! Everything here is a pure function of its arguments. Nothing reads a file or makes a system
//! call, so every rule can be tested without privilege and run anywhere.
//!
//! The one table of names is `capabilities.txt` beside this crate's manifest; [`Cap`] is built
//! from it at compile time.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::panic))]

pub mod confine;
pub mod execve;
pub mod external;
pub mod iab;
pub mod mode;
pub mod order;
pub mod plan;
pub mod securebits;
pub mod set;
pub mod status;
pub mod text;
pub mod xattr;

mod cap;
mod capset;
mod ids;
mod nearest;
#[cfg(test)]
mod simulated;
mod state;
mod table;

pub use cap::Cap;
pub use capset::{Bits, CapSet};
pub use ids::Ids;
pub use nearest::nearest_name;
pub use state::State;
pub use table::{KNOWN_MASK, NAMED_COUNT};
