//! The text of an IAB tuple.
//!
//! ```text
//! text = item ("," item)…  |  nothing
//! item = any of "!" "^" "%", then a capability name, any case, or a number below 64
//! ```

use super::{Iab, Vector};
use crate::capset::CapSet;
use crate::text::{capability, push_capability, Cursor, Expected, TextError};

/// Reads the text of a tuple (cap_iab_from_text(3)): `!` blocks from the bounding set, `^` is
/// ambient and inheritable, `%` or no mark is inheritable. Items for one capability add up. Time is
/// linear in the text's length.
///
/// C also takes an item without a name (`!`, a trailing comma), which is refused here.
///
/// # Errors
/// The byte position and what was expected there; a text longer than
/// [`MAX_TEXT_LEN`](crate::text::MAX_TEXT_LEN) is not read at all.
///
/// ```
/// use linx_caps::{iab::{from_text, Vector}, text::{Expected, TextError}};
/// let iab = from_text("!cap_chown,^cap_kill")?;
/// assert_eq!(iab.vector(Vector::Ambient).bits(), 0x20);
/// assert_eq!(
///     from_text("cap_kill,"),
///     Err(TextError::Unexpected { position: 9, expected: Expected::Capability })
/// );
/// # Ok::<(), TextError>(())
/// ```
pub fn from_text(text: &str) -> Result<Iab, TextError> {
    let mut cursor = Cursor::new(text)?;
    let mut iab = Iab::new();
    if cursor.peek().is_none() {
        return Ok(iab);
    }
    loop {
        item(&mut cursor, &mut iab)?;
        if cursor.peek().is_none() {
            return Ok(iab);
        }
        if !cursor.take(b',') {
            return Err(cursor.unexpected(Expected::CommaOrEnd));
        }
    }
}

fn item(cursor: &mut Cursor<'_>, iab: &mut Iab) -> Result<(), TextError> {
    let (mut blocked, mut ambient, mut inheritable) = (false, false, false);
    while let Some(mark @ (b'!' | b'^' | b'%')) = cursor.peek() {
        cursor.advance();
        blocked |= mark == b'!';
        ambient |= mark == b'^';
        inheritable |= mark == b'%';
    }
    let here = cursor.unexpected(Expected::Capability);
    let set = capability(cursor.word()).map(CapSet::single).ok_or(here)?;
    if ambient {
        iab.set_vector(Vector::Ambient, set, true);
    }
    if inheritable || !blocked {
        iab.set_vector(Vector::Inheritable, set, true);
    }
    if blocked {
        iab.set_vector(Vector::Bound, set, true);
    }
    Ok(())
}

/// Writes a tuple as cap_iab_to_text(3) does: only the `max_bits` capabilities of the running
/// kernel, ascending.
///
/// ```
/// use linx_caps::iab::{from_text, to_text};
/// assert_eq!(to_text(&from_text("^5,!0,%0,1")?, 41), "!%cap_chown,cap_dac_override,^cap_kill");
/// # Ok::<(), linx_caps::text::TextError>(())
/// ```
pub fn to_text(iab: &Iab, max_bits: u8) -> String {
    let mut text = String::new();
    let members = iab.inheritable.union(iab.blocked);
    for bit in members.intersection(CapSet::below(max_bits)) {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(marks(iab, bit));
        push_capability(&mut text, bit);
    }
    text
}

fn marks(iab: &Iab, bit: u8) -> &'static str {
    let [blocked, ambient, inheritable] =
        [iab.blocked, iab.ambient, iab.inheritable].map(|set| set.contains(bit));
    match (blocked, ambient, inheritable) {
        (true, true, _) => "!^",
        (true, false, true) => "!%",
        (true, false, false) => "!",
        (false, true, _) => "^",
        (false, false, _) => "",
    }
}
