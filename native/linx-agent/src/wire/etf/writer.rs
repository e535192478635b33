//! Writing terms, byte for byte as `term_to_binary(Term, [{minor_version, 2}])` does.

use super::{
    BINARY, INTEGER, MAP, SMALL_ATOM_UTF8, SMALL_BIG, SMALL_INTEGER, SMALL_TUPLE, VERSION,
};

/// Appends one term to a buffer, part by part.
pub struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// Starts a term at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(VERSION);
        Self(out)
    }

    /// The header of a tuple; its `arity` elements follow.
    pub fn tuple(&mut self, arity: u8) -> &mut Self {
        self.0.extend_from_slice(&[SMALL_TUPLE, arity]);
        self
    }

    /// The header of a map; `pairs` keys and values follow in turn.
    pub fn map(&mut self, pairs: u32) -> &mut Self {
        self.0.push(MAP);
        self.0.extend_from_slice(&pairs.to_be_bytes());
        self
    }

    /// An atom. Names are at most 255 bytes long, as in Erlang; what is over is cut off.
    pub fn atom(&mut self, name: &'static str) -> &mut Self {
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        self.0.extend_from_slice(&[SMALL_ATOM_UTF8, length]);
        self.0.extend(name.bytes().take(usize::from(length)));
        self
    }

    /// A non-negative integer, in the shortest of the three encodings.
    pub fn unsigned(&mut self, value: u64) -> &mut Self {
        if let Ok(small) = u8::try_from(value) {
            self.0.extend_from_slice(&[SMALL_INTEGER, small]);
        } else if let Ok(fits) = i32::try_from(value) {
            self.signed(fits);
        } else {
            let length = 8 - (value.leading_zeros() / 8) as u8;
            self.0.extend_from_slice(&[SMALL_BIG, length, 0]);
            self.0
                .extend(value.to_le_bytes().iter().take(usize::from(length)));
        }
        self
    }

    /// An integer of the kernel's: a pid, an errno, an exit code.
    pub fn int(&mut self, value: i32) -> &mut Self {
        match u8::try_from(value) {
            Ok(small) => self.0.extend_from_slice(&[SMALL_INTEGER, small]),
            Err(_) => self.signed(value),
        }
        self
    }

    /// A binary.
    pub fn binary(&mut self, bytes: &[u8]) -> &mut Self {
        self.binary_header(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
        self
    }

    /// The header of a binary whose `length` bytes follow by other means.
    pub fn binary_header(&mut self, length: u32) -> &mut Self {
        self.0.push(BINARY);
        self.0.extend_from_slice(&length.to_be_bytes());
        self
    }

    fn signed(&mut self, value: i32) {
        self.0.push(INTEGER);
        self.0.extend_from_slice(&value.to_be_bytes());
    }
}
