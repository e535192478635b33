//! The small part of Erlang's external term format that the protocol speaks.
//!
//! Tags and layouts are those of the "External Term Format" chapter of the ERTS manual. Owned here
//! because a general decoder pre-allocates by length fields and recurses by nesting: a frame of eight
//! bytes made one touch gigabytes, another frame overflowed its stack. This one does neither.

mod reader;
mod writer;

pub use reader::{read, read_head, Elements, EtfError, Term};
pub use writer::Writer;

const VERSION: u8 = 131;

const SMALL_INTEGER: u8 = 97;
const INTEGER: u8 = 98;
const ATOM: u8 = 100;
const SMALL_TUPLE: u8 = 104;
const LARGE_TUPLE: u8 = 105;
const NIL: u8 = 106;
const STRING: u8 = 107;
const LIST: u8 = 108;
const BINARY: u8 = 109;
const SMALL_BIG: u8 = 110;
const SMALL_ATOM: u8 = 115;
const MAP: u8 = 116;
const ATOM_UTF8: u8 = 118;
const SMALL_ATOM_UTF8: u8 = 119;
