//! Texts of capabilities: what their grammars have in common.

use std::borrow::Cow;

use linx_caps::text::{TextError, MAX_TEXT_LEN};
use rustler::{Binary, Encoder, Env, Term};

/// Why a text was refused, as `{position, expected}`.
pub struct Failure(TextError);

impl Encoder for Failure {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        match self.0 {
            TextError::Unexpected { position, expected } => {
                (position, expected.to_string()).encode(env)
            }
            TextError::TooLong { .. } => {
                let expected = format!("the end: a text has at most {MAX_TEXT_LEN} bytes");
                (MAX_TEXT_LEN, expected).encode(env)
            }
        }
    }
}

/// Reads a caller's bytes with one of the grammars. A text that is too long is not looked at.
pub fn read<T>(
    bytes: &Binary<'_>,
    grammar: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<T, Failure> {
    let length = bytes.len();
    if length > MAX_TEXT_LEN {
        return Err(Failure(TextError::TooLong { length }));
    }
    grammar(&text(bytes.as_slice())).map_err(Failure)
}

/// No grammar has a byte above 127 or a `?`: where the bytes are no text, the one stands in for the
/// other, and is refused at the same place.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let stand_in = |byte: &u8| match byte.is_ascii() {
        true => char::from(*byte),
        false => '?',
    };
    std::str::from_utf8(bytes).map_or_else(
        |_| Cow::Owned(bytes.iter().map(stand_in).collect()),
        Cow::Borrowed,
    )
}
