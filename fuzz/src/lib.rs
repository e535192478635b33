//! What must hold of every parser of Linx, whatever it is given.
//!
//! Each target is a function of bytes that panics where a property is broken. libFuzzer drives
//! them from `fuzz_targets/`, and `src/bin/mutate.rs` does without it.

#![forbid(unsafe_code)]

mod frames;
mod model;
/// The agent's protocol, compiled from its own source: the agent is a program, not a library.
#[allow(clippy::new_without_default)]
#[path = "../../native/linx-agent/src/wire/mod.rs"]
pub mod wire;

pub use frames::{command, stream};
pub use model::{external, iab_text, name, set_text, status, xattr};

/// A function that panics if a property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 8] = [
    ("set_text", set_text),
    ("iab_text", iab_text),
    ("external", external),
    ("xattr", xattr),
    ("status", status),
    ("name", name),
    ("stream", stream),
    ("command", command),
];
