//! The portable binary form of a triple (cap_copy_ext(3)).
//!
//! `90 c2 01 51`, a length byte, and as many times the effective, permitted and inheritable byte,
//! lowest capabilities first. The namespace owner is not part of it.

use thiserror::Error;

use crate::capset::CapSet;
use crate::set::Caps;

const MAGIC: [u8; 4] = [0x90, 0xc2, 0x01, 0x51];

/// The most bytes a flag can have: 64 bits.
const MAX_LENGTH: u8 = 8;

/// The length C always writes.
pub const DEFAULT_MIN_LENGTH: u8 = MAX_LENGTH;

/// Why a binary form was refused, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExternalError {
    /// The first four bytes are not `90 c2 01 51`.
    #[error("not an external capability set: bad magic")]
    BadMagic,
    /// There are fewer bytes than the length byte announces, or not even that.
    #[error("an external capability set of {length} bytes is too short")]
    TooShort {
        /// How many bytes there are.
        length: usize,
    },
    /// Bytes follow the set.
    #[error("{extra} bytes follow the external capability set")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A flag of more than 8 bytes, in the data or asked for.
    #[error("a flag of {length} bytes is longer than 8")]
    OutOfRange {
        /// How many bytes.
        length: u8,
    },
}

/// Writes the binary form (cap_copy_ext(3)). Each flag gets as many bytes as it needs, and at least `min_length`
/// ([`DEFAULT_MIN_LENGTH`] is what C writes).
///
/// # Errors
/// [`ExternalError::OutOfRange`] for a `min_length` over 8.
///
/// ```
/// use linx_caps::{external::{export, import}, set::Caps, CapSet};
/// let caps = Caps { permitted: CapSet::single(9), ..Caps::new() };
/// let bytes = export(&caps, 0)?;
/// assert_eq!(bytes, [0x90, 0xc2, 0x01, 0x51, 2, 0, 0, 0, 0, 2, 0]);
/// assert_eq!(import(&bytes)?, caps);
/// # Ok::<(), linx_caps::external::ExternalError>(())
/// ```
pub fn export(caps: &Caps, min_length: u8) -> Result<Vec<u8>, ExternalError> {
    if min_length > MAX_LENGTH {
        return Err(ExternalError::OutOfRange { length: min_length });
    }
    let used = caps.effective.union(caps.permitted).union(caps.inheritable);
    let length = min_length.max(bytes_of(used));
    let columns =
        [caps.effective, caps.permitted, caps.inheritable].map(|set| set.bits().to_le_bytes());
    let [effective, permitted, inheritable] = columns;
    let rows = effective.into_iter().zip(permitted).zip(inheritable);
    let mut bytes = Vec::from(MAGIC);
    bytes.push(length);
    for ((e, p), i) in rows.take(usize::from(length)) {
        bytes.extend([e, p, i]);
    }
    Ok(bytes)
}

fn bytes_of(set: CapSet) -> u8 {
    set.iter().next_back().map_or(0, |highest| highest / 8 + 1)
}

/// Reads the binary form (cap_copy_int(3)). A length of 0 is the empty triple.
///
/// # Errors
/// Another magic, too few or too many bytes, flags longer than 64 bits (which C ignores).
///
/// ```
/// use linx_caps::external::{import, ExternalError};
/// assert_eq!(import(b"\x90\xc2\x01\x51\x01\x01"), Err(ExternalError::TooShort { length: 6 }));
/// assert_eq!(import(b"\x90\xc2\x01\x51\x00"), Ok(Default::default()));
/// ```
pub fn import(bytes: &[u8]) -> Result<Caps, ExternalError> {
    let too_short = ExternalError::TooShort {
        length: bytes.len(),
    };
    let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(too_short)?;
    if *magic != MAGIC {
        return Err(ExternalError::BadMagic);
    }
    let (&length, rows) = rest.split_first().ok_or(too_short)?;
    if length > MAX_LENGTH {
        return Err(ExternalError::OutOfRange { length });
    }
    let announced = usize::from(length) * 3;
    if rows.len() < announced {
        return Err(too_short);
    }
    if rows.len() > announced {
        return Err(ExternalError::Trailing {
            extra: rows.len() - announced,
        });
    }
    let column = |flag| {
        let bytes = rows.iter().skip(flag).step_by(3).rev();
        CapSet::from_bits(bytes.fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
    };
    Ok(Caps {
        effective: column(0),
        permitted: column(1),
        inheritable: column(2),
        ns_owner: 0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_refusal() {
        let cases: [(&[u8], ExternalError); 6] = [
            (b"", ExternalError::TooShort { length: 0 }),
            (b"\x90\xc2\x01\x51", ExternalError::TooShort { length: 4 }),
            (b"\x91\xc2\x01\x51\x00", ExternalError::BadMagic),
            (
                b"\x90\xc2\x01\x51\x01\0\0",
                ExternalError::TooShort { length: 7 },
            ),
            (
                b"\x90\xc2\x01\x51\x00\0",
                ExternalError::Trailing { extra: 1 },
            ),
            (
                b"\x90\xc2\x01\x51\x09",
                ExternalError::OutOfRange { length: 9 },
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(import(bytes), Err(error), "{bytes:?}");
        }
        assert_eq!(
            export(&Caps::new(), 9),
            Err(ExternalError::OutOfRange { length: 9 })
        );
    }

    #[test]
    fn the_length_is_what_is_used_or_asked() {
        for (bit, used) in [(0, 1), (7, 1), (8, 2), (40, 6), (63, 8)] {
            let caps = Caps {
                inheritable: CapSet::single(bit),
                ..Caps::new()
            };
            for min_length in 0..=8u8 {
                let bytes = export(&caps, min_length).unwrap();
                assert_eq!(bytes[4], min_length.max(used));
                assert_eq!(bytes.len(), 5 + 3 * usize::from(bytes[4]));
            }
        }
        assert_eq!(export(&Caps::new(), 0).unwrap().len(), 5);
    }

    proptest! {
        #[test]
        fn what_is_exported_imports(e: u64, p: u64, i: u64, min_length in 0u8..=8) {
            let [effective, permitted, inheritable] = [e, p, i].map(CapSet::from_bits);
            let caps = Caps { effective, permitted, inheritable, ns_owner: 0 };
            prop_assert_eq!(import(&export(&caps, min_length).unwrap()), Ok(caps));
        }

        #[test]
        fn no_bytes_panic(mut bytes: Vec<u8>) {
            let _ = import(&bytes);
            bytes.splice(0..0, MAGIC);
            let _ = import(&bytes);
        }
    }
}
