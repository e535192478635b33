//! The triple of effective, permitted and inheritable capabilities: its text and its binary form.

use linx_caps::external::{self, ExternalError};
use linx_caps::set::Caps;
use linx_caps::{text as grammar, CapSet};
use linx_sys::kernel::max_bits;
use rustler::{Atom, Binary, Encoder, Env, NewBinary, Term};

use crate::text;

mod atoms {
    rustler::atoms! { bad_magic, too_short, trailing, out_of_range }
}

/// Effective, permitted, inheritable.
pub type Masks = (u64, u64, u64);

pub fn caps((effective, permitted, inheritable): Masks, ns_owner: u32) -> Caps {
    Caps {
        effective: CapSet::from_bits(effective),
        permitted: CapSet::from_bits(permitted),
        inheritable: CapSet::from_bits(inheritable),
        ns_owner,
    }
}

pub fn masks(caps: &Caps) -> Masks {
    (
        caps.effective.bits(),
        caps.permitted.bits(),
        caps.inheritable.bits(),
    )
}

/// Why a binary form was refused: the reason and its number.
enum Failure {
    BadMagic,
    Length(Atom, usize),
}

impl From<ExternalError> for Failure {
    fn from(error: ExternalError) -> Failure {
        match error {
            ExternalError::BadMagic => Failure::BadMagic,
            ExternalError::TooShort { length } => Failure::Length(atoms::too_short(), length),
            ExternalError::Trailing { extra } => Failure::Length(atoms::trailing(), extra),
            ExternalError::OutOfRange { length } => {
                Failure::Length(atoms::out_of_range(), usize::from(length))
            }
        }
    }
}

impl Encoder for Failure {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        match self {
            Failure::BadMagic => atoms::bad_magic().encode(env),
            Failure::Length(reason, length) => (reason, length).encode(env),
        }
    }
}

#[rustler::nif]
fn set_from_text(bytes: Binary) -> Result<Masks, text::Failure> {
    text::read(&bytes, |text| grammar::from_text(text, max_bits())).map(|caps| masks(&caps))
}

#[rustler::nif]
fn set_to_text(masks: Masks) -> String {
    grammar::to_text(&caps(masks, 0), max_bits())
}

#[rustler::nif]
fn set_export(env: Env<'_>, masks: Masks, min_length: u8) -> Result<Binary<'_>, Failure> {
    let bytes = external::export(&caps(masks, 0), min_length)?;
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(&bytes);
    Ok(binary.into())
}

#[rustler::nif]
fn set_import(bytes: Binary) -> Result<Masks, Failure> {
    Ok(masks(&external::import(bytes.as_slice())?))
}
