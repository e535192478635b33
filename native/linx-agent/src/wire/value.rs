//! From terms to the kinds of value that frames carry, each checked once, here.

use std::time::Duration;

use linx_sys::fd::Size;
use thiserror::Error;

use super::etf::{Elements, EtfError, Term};

/// A value of the wrong type or out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("bad argument")]
pub struct BadArgument;

impl From<EtfError> for BadArgument {
    fn from(_: EtfError) -> Self {
        Self
    }
}

/// What a decoder of one value returns.
pub type Decoded<T> = Result<T, BadArgument>;

/// The size of a terminal, as in `struct winsize` of `ioctl_tty(2)`.
pub fn size(term: Term<'_>) -> Decoded<Size> {
    let [rows, cols, xpixel, ypixel] = tuple(term)?;
    Ok(Size {
        rows: integer(rows)?,
        cols: integer(cols)?,
        xpixel: integer(xpixel)?,
        ypixel: integer(ypixel)?,
    })
}

/// An integer in the range of `T`.
pub fn integer<T: TryFrom<i128>>(term: Term<'_>) -> Decoded<T> {
    match term {
        Term::Integer(value) => T::try_from(value).map_err(|_| BadArgument),
        _ => Err(BadArgument),
    }
}

/// An integer of type `T` that satisfies `allowed`.
pub fn integer_where<T: TryFrom<i128>>(
    term: Term<'_>,
    allowed: impl FnOnce(&T) -> bool,
) -> Decoded<T> {
    integer(term).and_then(|value| {
        if allowed(&value) {
            Ok(value)
        } else {
            Err(BadArgument)
        }
    })
}

/// A user or group id. `2^32 - 1` is "leave unchanged" to the kernel and so no id.
pub fn user_or_group(term: Term<'_>) -> Decoded<u32> {
    integer_where(term, |id| *id < u32::MAX)
}

/// A process id that names one process.
pub fn pid(term: Term<'_>) -> Decoded<i32> {
    integer_where(term, |pid| *pid > 0)
}

/// A span of time: milliseconds, below 2^32.
pub fn milliseconds(term: Term<'_>) -> Decoded<Duration> {
    integer::<u32>(term).map(|ms| Duration::from_millis(ms.into()))
}

/// `true` or `false`.
pub fn boolean(term: Term<'_>) -> Decoded<bool> {
    match term {
        Term::Atom(b"true") => Ok(true),
        Term::Atom(b"false") => Ok(false),
        _ => Err(BadArgument),
    }
}

/// Any binary.
pub fn binary(term: Term<'_>) -> Decoded<&[u8]> {
    match term {
        Term::Binary(bytes) => Ok(bytes),
        _ => Err(BadArgument),
    }
}

/// A binary without a zero byte: what can become a C string.
pub fn text(term: Term<'_>) -> Decoded<&[u8]> {
    binary(term).and_then(|bytes| {
        if bytes.contains(&0) {
            Err(BadArgument)
        } else {
            Ok(bytes)
        }
    })
}

/// An environment entry, `NAME=VALUE` with a name.
pub fn env_entry(term: Term<'_>) -> Decoded<&[u8]> {
    let entry = text(term)?;
    match entry.iter().position(|byte| *byte == b'=') {
        Some(1..) => Ok(entry),
        _ => Err(BadArgument),
    }
}

/// A list whose every element `decode` accepts.
pub fn list<'a, T, C: FromIterator<T>>(
    term: Term<'a>,
    mut decode: impl FnMut(Term<'a>) -> Decoded<T>,
) -> Decoded<C> {
    match term {
        Term::List(elements) => elements.map(|element| decode(element?)).collect(),
        _ => Err(BadArgument),
    }
}

/// A tuple of exactly `N` elements.
pub fn tuple<'a, const N: usize>(term: Term<'a>) -> Decoded<[Term<'a>; N]> {
    match term {
        Term::Tuple(elements) => exact(elements),
        _ => Err(BadArgument),
    }
}

/// Exactly `N` elements.
pub fn exact<'a, const N: usize>(elements: Elements<'a>) -> Decoded<[Term<'a>; N]> {
    elements.exact().ok_or(BadArgument)
}

/// A tuple that an atom names: the name, and the elements behind it.
pub fn tagged(term: Term<'_>) -> Decoded<(&[u8], Elements<'_>)> {
    let Term::Tuple(mut elements) = term else {
        return Err(BadArgument);
    };
    match elements.next() {
        Some(Ok(Term::Atom(name))) => Ok((name, elements)),
        _ => Err(BadArgument),
    }
}
