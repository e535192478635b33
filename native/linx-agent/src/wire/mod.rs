//! The port protocol as bytes: splitting the stream into frames, frames into commands, events into
//! frames. Pure code; what the commands mean is decided elsewhere. `docs/PROTOCOL.md` is the contract.
//!
//! Everything here faces outside data. It borrows from the frame, never panics, allocates no more
//! than a small multiple of the bytes it was given, and takes time linear in them.

mod command;
mod etf;
mod event;
mod frames;
mod namespaces;
mod refusal;
mod spec;
mod value;
mod verb;

#[cfg(test)]
mod tests;

pub use command::{decode, Command};
pub use event::{output_prefix, Event, Stream};
pub use frames::{Frame, FrameBuffer};
pub use refusal::{Reason, Refusal};
pub use spec::{Channel, OrphanPolicy, SpawnSpec, Stderr, Stdio};
pub use verb::Verb;
