//! The capability sets in a status text.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use linx_caps::status::parse_caps;
use linx_caps::State;
use linx_sys::status::{ReadError, MAX_SIZE};
use rustler::{Binary, Encoder, Env, Term};

use crate::atoms;

/// Effective, permitted, inheritable, bounding, ambient.
type Masks = (u64, u64, u64, u64, u64);

enum Failure {
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
    let state = parse_caps(text).map_err(|_| Failure::BadStatus)?;
    let State {
        inheritable,
        permitted,
        effective,
        bounding,
        ambient,
    } = state;
    let sets = [effective, permitted, inheritable, bounding, ambient];
    let [e, p, i, b, a] = sets.map(linx_caps::CapSet::bits);
    Ok((e, p, i, b, a))
}
