//! The text of an E/P/I triple (cap_from_text(3), cap_to_text(3)).
//!
//! The grammar is that of libcap's C library:
//!
//! ```text
//! text   = [space…] clause (space… clause)… [space…]  |  nothing
//! clause = list ("=" [flags] | op flags) (op flags)…  |  "=" [flags]
//! list   = item ("," item)…
//! item   = capability name, any case, with its prefix  |  "all"  |  number below 64
//! op     = "+" | "-"
//! flags  = one or more of "e", "i", "p"
//! ```
//!
//! `=` clears every flag of the listed capabilities, then raises the given ones; without a list it
//! means `all`, the capabilities the running kernel has. Where C reads `010` as 8 and `0x1` as 1, a
//! number with a leading zero or in hex is refused here: readers disagree about them.

mod cursor;
mod parse;
mod print;
mod text_error;

pub(crate) use cursor::Cursor;
pub(crate) use print::push_capability;

pub use cursor::capability;
pub use parse::from_text;
pub use print::to_text;
pub use text_error::{Expected, TextError};

/// Longer texts are refused. The longest canonical text has under 4 KiB.
pub const MAX_TEXT_LEN: usize = 64 * 1024;

#[cfg(test)]
mod tests;
