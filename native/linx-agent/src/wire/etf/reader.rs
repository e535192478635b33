//! A reader that borrows from the frame.
//!
//! [`read`] walks the whole term once to prove its structure; what it returns is a view whose
//! containers are walked again, lazily, by whoever wants their elements. Elements of a container that
//! is not the last of its own container are passed over on the way, so a byte is looked at no more
//! than once per level of nesting.

use thiserror::Error;

use super::{
    ATOM, ATOM_UTF8, BINARY, INTEGER, LARGE_TUPLE, LIST, MAP, NIL, SMALL_ATOM, SMALL_ATOM_UTF8,
    SMALL_BIG, SMALL_INTEGER, SMALL_TUPLE, STRING, VERSION,
};

/// How deep tuples, lists and maps may nest.
const MAX_DEPTH: usize = 8;

/// Why bytes are not a term of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EtfError {
    /// A length field or a header promises more bytes than there are.
    #[error("the term ends early")]
    Truncated,
    /// The first byte is not the format's version.
    #[error("format version {0}, not 131")]
    Version(u8),
    /// A type the protocol does not use, or a compressed term.
    #[error("tag {0} is not used by this protocol")]
    Tag(u8),
    /// An integer of more than eight bytes.
    #[error("integer of {0} bytes")]
    WideInteger(u8),
    /// A list that does not end in nil.
    #[error("improper list")]
    ImproperList,
    /// Containers nest deeper than eight levels.
    #[error("term nests too deep")]
    TooDeep,
    /// Bytes follow the term.
    #[error("bytes after the term")]
    TrailingBytes,
}

/// One term. Containers are lazy, scalars are values, bytes stay in the frame.
#[derive(Debug, Clone, Copy)]
pub enum Term<'a> {
    /// An integer of at most eight bytes and a sign.
    Integer(i128),
    /// An atom's name as it was encoded: Latin-1 or UTF-8, the same for every name we know.
    Atom(&'a [u8]),
    /// A binary.
    Binary(&'a [u8]),
    /// A tuple.
    Tuple(Elements<'a>),
    /// A proper list, in either encoding.
    List(Elements<'a>),
    /// A map: keys and values in turn.
    Map(Elements<'a>),
}

/// Reads a frame that holds exactly one well-formed term.
pub fn read(frame: &[u8]) -> Result<Term<'_>, EtfError> {
    let mut cursor = Cursor(frame);
    let term = cursor.versioned_head()?;
    cursor.pass(&term, 1)?;
    if cursor.0.is_empty() {
        Ok(term)
    } else {
        Err(EtfError::TrailingBytes)
    }
}

/// Reads the outermost header only, of a frame that [`read`] refused: the elements in front of the
/// damage can still be had.
pub fn read_head(frame: &[u8]) -> Result<Term<'_>, EtfError> {
    Cursor(frame).versioned_head()
}

/// The elements of a container, in order.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a>(Items<'a>);

#[derive(Debug, Clone, Copy)]
enum Items<'a> {
    /// Terms that follow each other; `cursor` runs on past the container.
    Terms { cursor: Cursor<'a>, left: usize },
    /// The byte-list encoding, and nil: each byte is an integer.
    Bytes(&'a [u8]),
}

impl<'a> Elements<'a> {
    /// How many elements are left.
    pub fn len(&self) -> usize {
        match self.0 {
            Items::Terms { left, .. } => left,
            Items::Bytes(bytes) => bytes.len(),
        }
    }

    /// The elements if there are exactly `N`.
    pub fn exact<const N: usize>(mut self) -> Option<[Term<'a>; N]> {
        if self.len() != N {
            return None;
        }
        let mut terms = [Term::Integer(0); N];
        for slot in &mut terms {
            *slot = self.next()?.ok()?;
        }
        Some(terms)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Term<'a>, EtfError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Items::Bytes(bytes) => {
                let (first, rest) = bytes.split_first()?;
                *bytes = rest;
                Some(Ok(Term::Integer(i128::from(*first))))
            }
            Items::Terms { cursor, left } => {
                *left = left.checked_sub(1)?;
                let term = cursor.element(*left == 0);
                if term.is_err() {
                    *left = 0;
                }
                Some(term)
            }
        }
    }
}

/// What is left of the frame.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn versioned_head(&mut self) -> Result<Term<'a>, EtfError> {
        match self.byte()? {
            VERSION => self.head(),
            other => Err(EtfError::Version(other)),
        }
    }

    /// One element, and the way to the next unless this is the last.
    fn element(&mut self, last: bool) -> Result<Term<'a>, EtfError> {
        let term = self.head()?;
        if !last {
            self.pass(&term, 1)?;
        }
        Ok(term)
    }

    /// A whole scalar or the header of a container.
    ///
    /// Inlined because passing a `Term` through memory costs more than reading most of them.
    #[inline(always)]
    fn head(&mut self) -> Result<Term<'a>, EtfError> {
        match self.byte()? {
            SMALL_INTEGER => Ok(Term::Integer(i128::from(self.byte()?))),
            INTEGER => Ok(Term::Integer(i128::from(i32::from_be_bytes(self.array()?)))),
            SMALL_BIG => self.small_big(),
            SMALL_ATOM | SMALL_ATOM_UTF8 => self.byte().and_then(|n| self.atom(usize::from(n))),
            ATOM | ATOM_UTF8 => self.short().and_then(|n| self.atom(n)),
            BINARY => Ok(Term::Binary(self.long().and_then(|n| self.bytes(n))?)),
            SMALL_TUPLE => Ok(Term::Tuple(
                self.byte().map(usize::from).and_then(|n| self.terms(n))?,
            )),
            LARGE_TUPLE => Ok(Term::Tuple(self.long().and_then(|n| self.terms(n))?)),
            NIL => Ok(Term::List(Elements(Items::Bytes(&[])))),
            STRING => self.string(),
            LIST => Ok(Term::List(self.long().and_then(|n| self.terms(n))?)),
            MAP => Ok(Term::Map(
                self.long().and_then(|n| self.terms(n.saturating_mul(2)))?,
            )),
            tag => Err(EtfError::Tag(tag)),
        }
    }

    /// Moves past what follows the head of `term`; `depth` is that of `term` itself.
    fn pass(&mut self, term: &Term<'a>, depth: usize) -> Result<(), EtfError> {
        match term {
            Term::Integer(_) | Term::Atom(_) | Term::Binary(_) => Ok(()),
            Term::Tuple(elements) | Term::Map(elements) => self.pass_elements(elements, depth),
            Term::List(Elements(Items::Bytes(_))) => Ok(()),
            Term::List(elements) => {
                self.pass_elements(elements, depth)?;
                match self.byte()? {
                    NIL => Ok(()),
                    _ => Err(EtfError::ImproperList),
                }
            }
        }
    }

    fn pass_elements(&mut self, elements: &Elements<'a>, depth: usize) -> Result<(), EtfError> {
        if depth > MAX_DEPTH {
            return Err(EtfError::TooDeep);
        }
        for _ in 0..elements.len() {
            let term = self.head()?;
            self.pass(&term, depth + 1)?;
        }
        Ok(())
    }

    /// A container of `left` terms starting here. Each takes a byte at least, which refuses an
    /// impossible length before anyone acts on it.
    fn terms(&self, left: usize) -> Result<Elements<'a>, EtfError> {
        if left > self.0.len() {
            return Err(EtfError::Truncated);
        }
        Ok(Elements(Items::Terms {
            cursor: *self,
            left,
        }))
    }

    fn string(&mut self) -> Result<Term<'a>, EtfError> {
        let length = self.short()?;
        Ok(Term::List(Elements(Items::Bytes(self.bytes(length)?))))
    }

    fn atom(&mut self, length: usize) -> Result<Term<'a>, EtfError> {
        self.bytes(length).map(Term::Atom)
    }

    fn small_big(&mut self) -> Result<Term<'a>, EtfError> {
        let length = self.byte()?;
        let negative = self.byte()? != 0;
        if length > 8 {
            return Err(EtfError::WideInteger(length));
        }
        let digits = self.bytes(usize::from(length))?;
        let mut padded = [0; 8];
        for (slot, digit) in padded.iter_mut().zip(digits) {
            *slot = *digit;
        }
        let magnitude = i128::from(u64::from_le_bytes(padded));
        Ok(Term::Integer(if negative { -magnitude } else { magnitude }))
    }

    fn byte(&mut self) -> Result<u8, EtfError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<usize, EtfError> {
        self.array()
            .map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    fn long(&mut self) -> Result<usize, EtfError> {
        let length = u32::from_be_bytes(self.array()?);
        usize::try_from(length).map_err(|_| EtfError::Truncated)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EtfError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(EtfError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], EtfError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(EtfError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}
