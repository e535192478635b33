//! The five `Cap…` lines, found without allocating and without looking at every line.

use super::status_error::StatusError;
use crate::capset::CapSet;
use crate::state::State;

const KEYS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// Reads the five capability sets from a status text. Time is linear in its length, and nothing
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
            _ => next_line_with_c(line_start),
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
            _ => return Ok(next_line_with_c(value)),
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
    let digits = skip_blanks(value);
    let mut bits = 0u64;
    let mut rest = digits;
    while let [byte, tail @ ..] = rest {
        let Some(digit) = hex_digit(*byte) else { break };
        bits = bits << 4 | digit;
        rest = tail;
    }
    if !(1..=16).contains(&(digits.len() - rest.len())) {
        return None;
    }
    match skip_blanks(rest) {
        [] => Some((bits, None)),
        [b'\n', next @ ..] => Some((bits, Some(next))),
        _ => None,
    }
}

fn skip_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// The next line that begins with `C`.
///
/// Whole blocks are tested without a branch inside, which the compiler turns into vector
/// instructions: most of a status text is other lines, and skipping them is most of the time.
fn next_line_with_c(mut text: &[u8]) -> Option<&[u8]> {
    const BLOCK: usize = 64;
    let starts = |newline: &u8, next: &u8| (*newline == b'\n') & (*next == b'C');
    while let (Some(block), Some(after)) = (text.get(..BLOCK), text.get(1..=BLOCK)) {
        let pairs = block.iter().zip(after);
        if pairs.fold(false, |hit, (byte, next)| hit | starts(byte, next)) {
            break;
        }
        text = text.get(BLOCK..)?;
    }
    let at = text.windows(2).position(|pair| matches!(pair, b"\nC"))?;
    text.get(at + 1..)
}
