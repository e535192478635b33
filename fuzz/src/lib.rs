//! What must hold of every parser of Linx, and of the agent, whatever they are given.
//!
//! Each target is a function of bytes that panics where a property is broken. libFuzzer drives
//! them from `fuzz_targets/`, and `src/bin/mutate.rs` does without it.

#![forbid(unsafe_code)]

pub mod agent;
mod frames;
mod model;
mod script;

pub use frames::{command, stream};
pub use model::{external, iab_text, name, set_text, status, xattr};
pub use script::interpreter;

/// A function that panics if a property does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 10] = [
    ("set_text", set_text),
    ("iab_text", iab_text),
    ("external", external),
    ("xattr", xattr),
    ("status", status),
    ("name", name),
    ("stream", stream),
    ("command", command),
    ("interpreter", interpreter),
    ("agent", agent::agent),
];
