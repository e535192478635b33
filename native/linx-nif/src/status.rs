//! The capability sets in a status text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use linx_caps::status::parse_caps;
use linx_caps::{CapSet, State};
use linx_sys::status::{ReadError, MAX_SIZE};
use rustler::{Binary, Encoder, Env, Term};

use crate::atoms;

/// Effective, permitted, inheritable, bounding, ambient.
pub type Masks = (u64, u64, u64, u64, u64);

/// Why there are no sets.
pub enum Failure {
    Errno(i32),
    /// The text lacks the five `Cap…` lines, or they are malformed.
    BadStatus,
}

impl Encoder for Failure {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        match self {
            Failure::Errno(errno) => errno.encode(env),
            Failure::BadStatus => atoms::bad_status().encode(env),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        match error {
            ReadError::Errno(errno) => Failure::Errno(errno),
            ReadError::TooLarge => Failure::BadStatus,
        }
    }
}

#[rustler::nif]
fn read_status(path: Binary) -> Result<Masks, Failure> {
    let path = Path::new(OsStr::from_bytes(path.as_slice()));
    linx_sys::status::read(path, masks)?
}

#[rustler::nif]
fn parse_status(text: Binary) -> Result<Masks, Failure> {
    masks(text.as_slice())
}

#[rustler::nif(name = "supported?")]
fn supported() -> bool {
    let tells_bounding = |text: &[u8]| {
        text.split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"CapBnd:"))
    };
    linx_sys::status::read(Path::new("/proc/self/status"), tells_bounding).unwrap_or(false)
}

/// A text longer than a status file can be would keep a scheduler busy for nothing.
fn masks(text: &[u8]) -> Result<Masks, Failure> {
    if text.len() > MAX_SIZE {
        return Err(Failure::BadStatus);
    }
    parse_caps(text)
        .map(to_masks)
        .map_err(|_| Failure::BadStatus)
}

pub fn to_masks(state: State) -> Masks {
    let State {
        inheritable,
        permitted,
        effective,
        bounding,
        ambient,
    } = state;
    let sets = [effective, permitted, inheritable, bounding, ambient];
    let [e, p, i, b, a] = sets.map(CapSet::bits);
    (e, p, i, b, a)
}

pub fn from_masks((e, p, i, b, a): Masks) -> State {
    let [effective, permitted, inheritable, bounding, ambient] =
        [e, p, i, b, a].map(CapSet::from_bits);
    State {
        inheritable,
        permitted,
        effective,
        bounding,
        ambient,
    }
}
