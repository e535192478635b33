//! A place in a text of capabilities. Shared by the grammars that name capabilities.

use super::text_error::{Expected, TextError};
use super::MAX_TEXT_LEN;
use crate::cap::Cap;

pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Cursor<'a>, TextError> {
        if text.len() > MAX_TEXT_LEN {
            return Err(TextError::TooLong { length: text.len() });
        }
        Ok(Cursor {
            text: text.as_bytes(),
            position: 0,
        })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    pub(crate) fn advance(&mut self) {
        self.position += 1;
    }

    /// Steps over `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.advance();
        }
        next
    }

    pub(crate) fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.advance();
        }
    }

    /// Whether a clause ends here.
    pub(crate) fn at_end_of_clause(&self) -> bool {
        self.peek().is_none_or(is_space)
    }

    /// Whether a name or number begins here.
    pub(crate) fn at_word(&self) -> bool {
        self.peek().is_some_and(is_word)
    }

    /// Steps over the longest run of letters, digits and underscores.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !is_word(*byte))
            .unwrap_or(rest.len());
        self.position += length;
        rest.get(..length).unwrap_or_default()
    }

    pub(crate) fn unexpected(&self, expected: Expected) -> TextError {
        TextError::Unexpected {
            position: self.position,
            expected,
        }
    }
}

/// The bit that a word names, in letters of either case, or is: a number below 64 (`cap_from_name` in
/// libcap, which lets more pass after a name; this does not).
///
/// ```
/// use linx_caps::text::capability;
/// assert_eq!(capability(b"CAP_net_Admin"), Some(12));
/// assert_eq!(capability(b"63"), Some(63));
/// assert_eq!(capability(b"cap_chown+"), None);
/// ```
pub fn capability(word: &[u8]) -> Option<u8> {
    match word {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => number(word),
        _ => Cap::names()
            .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(word))
            .map(|(bit, _)| bit),
    }
}

fn number(digits: &[u8]) -> Option<u8> {
    let value: u8 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (value < 64).then_some(value)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// isspace(3) in the C locale; the standard library's notion lacks the vertical tab.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == b'\x0b'
}
