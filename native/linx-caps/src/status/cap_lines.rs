//! The five `Cap…` lines, found without allocating and without looking at every line.

use super::status_error::StatusError;
use crate::capset::CapSet;
use crate::state::State;

const KEYS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// Reads the five capability sets from a status text (`proc_pid_status(5)`). Time is linear in its length, and nothing
/// is allocated.
///
/// # Errors
/// A `Cap…` line that is missing, comes twice, or is not a hex number of 1 to 16 digits.
///
/// ```
/// use linx_caps::status::{parse_caps, StatusError};
/// let state = parse_caps(b"CapInh: 1\nCapPrm: 2\nCapEff: 4\nCapBnd: 1FF\nCapAmb:\t0\n")?;
/// assert_eq!(state.bounding.bits(), 0x1ff);
/// assert_eq!(parse_caps(b"CapInh: 1\n"), Err(StatusError::Missing("CapPrm")));
/// # Ok::<(), StatusError>(())
/// ```
pub fn parse_caps(text: &[u8]) -> Result<State, StatusError> {
    let mut found = Found::default();
    let mut rest = Some(text);
    while let Some(line_start) = rest {
        rest = match line_start {
            [b'C', b'a', b'p', a, b, c, b':', value @ ..] => found.take([*a, *b, *c], value)?,
            _ => next_candidate(line_start),
        };
    }
    found.into_state()
}

/// The values in the order of [`KEYS`].
#[derive(Default)]
struct Found {
    inheritable: Option<u64>,
    permitted: Option<u64>,
    effective: Option<u64>,
    bounding: Option<u64>,
    ambient: Option<u64>,
}

impl Found {
    /// Takes a line whose key is `Cap` and `tag`, and gives back what follows it.
    fn take<'a>(&mut self, tag: [u8; 3], value: &'a [u8]) -> Result<Option<&'a [u8]>, StatusError> {
        let [inh, prm, eff, bnd, amb] = KEYS;
        let (key, slot) = match &tag {
            b"Inh" => (inh, &mut self.inheritable),
            b"Prm" => (prm, &mut self.permitted),
            b"Eff" => (eff, &mut self.effective),
            b"Bnd" => (bnd, &mut self.bounding),
            b"Amb" => (amb, &mut self.ambient),
            _ => return Ok(next_candidate(value)),
        };
        let (bits, rest) = hex_line(value).ok_or(StatusError::Malformed(key))?;
        match slot.replace(bits) {
            None => Ok(rest),
            Some(_) => Err(StatusError::Duplicate(key)),
        }
    }

    fn into_state(self) -> Result<State, StatusError> {
        let [inh, prm, eff, bnd, amb] = KEYS;
        let set = |value: Option<u64>, key| {
            value
                .map(CapSet::from_bits)
                .ok_or(StatusError::Missing(key))
        };
        Ok(State {
            inheritable: set(self.inheritable, inh)?,
            permitted: set(self.permitted, prm)?,
            effective: set(self.effective, eff)?,
            bounding: set(self.bounding, bnd)?,
            ambient: set(self.ambient, amb)?,
        })
    }
}

/// Reads blanks, 1 to 16 hex digits, blanks, and the end of the line; gives the next line's start.
fn hex_line(value: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if let Some(([b'\t', digits @ .., b'\n'], next)) = value.split_first_chunk::<18>() {
        // Shorter lines can fill the same 18 bytes; those are read below.
        if let Some(bits) = padded_hex(digits) {
            return Some((bits, Some(next)));
        }
    }
    let (bits, rest) = short_hex(skip_blanks(value))?;
    match skip_blanks(rest) {
        [] => Some((bits, None)),
        [b'\n', next @ ..] => Some((bits, Some(next))),
        _ => None,
    }
}

/// Sixteen digits, as the kernel writes them: without a branch for each.
fn padded_hex(digits: &[u8; 16]) -> Option<u64> {
    let valid = digits
        .iter()
        .fold(true, |valid, byte| valid & byte.is_ascii_hexdigit());
    let value = |byte: u8| u64::from((byte & 0xf) + 9 * (byte >> 6));
    valid.then(|| digits.iter().fold(0, |bits, byte| bits << 4 | value(*byte)))
}

fn short_hex(digits: &[u8]) -> Option<(u64, &[u8])> {
    let mut bits = 0u64;
    let mut rest = digits;
    while let [byte, tail @ ..] = rest {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            break;
        };
        bits = bits << 4 | u64::from(digit);
        rest = tail;
    }
    (1..=16)
        .contains(&(digits.len() - rest.len()))
        .then_some((bits, rest))
}

fn skip_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// The next line that begins with `Ca`.
///
/// Whole blocks are tested without a branch inside, which the compiler turns into vector
/// instructions: most of a status text is other lines, and skipping them is most of the time.
fn next_candidate(mut text: &[u8]) -> Option<&[u8]> {
    const BLOCK: usize = 64;
    while let Some(window) = text.get(..BLOCK + 2) {
        if block_has_candidate(window) {
            break;
        }
        text = text.get(BLOCK..)?;
    }
    let at = text.windows(3).position(|bytes| matches!(bytes, b"\nCa"))?;
    text.get(at + 1..)
}

fn block_has_candidate(window: &[u8]) -> bool {
    let second = window.iter().skip(1);
    let third = window.iter().skip(2);
    let hit = |hit: u8, ((a, b), c): ((&u8, &u8), &u8)| {
        hit | (u8::from(*a == b'\n') & u8::from(*b == b'C') & u8::from(*c == b'a'))
    };
    window.iter().zip(second).zip(third).fold(0, hit) != 0
}
