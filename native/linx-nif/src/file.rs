//! The capabilities of files. A file system can take its time, so these run on dirty I/O schedulers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use linx_caps::xattr::{self, FileCaps};
use linx_sys::xattr as attribute;
use rustler::Binary;

use crate::set::{caps, masks, Masks};

/// `EINVAL`: what the kernel says of an attribute it does not take.
const INVALID: i32 = 22;

/// Revision, effective bit, the sets as a triple, rootid.
type Attribute = (u8, bool, Masks, u32);

#[rustler::nif(schedule = "DirtyIo")]
fn file_get(path: Binary) -> Result<Attribute, i32> {
    let bytes = attribute::open_regular(to_path(&path))
        .and_then(attribute::get)
        .map_err(|errno| errno as i32)?;
    decode(&bytes)
}

#[rustler::nif(schedule = "DirtyIo")]
fn file_set(path: Binary, masks: Masks, rootid: u32) -> Result<(), i32> {
    let bytes = FileCaps::from_caps(&caps(masks, rootid))
        .and_then(|caps| xattr::encode(&caps))
        .map_err(|_| INVALID)?;
    attribute::open_regular(to_path(&path))
        .and_then(|file| attribute::set(file, &bytes))
        .map_err(|errno| errno as i32)
}

#[rustler::nif(schedule = "DirtyIo")]
fn file_remove(path: Binary) -> Result<(), i32> {
    attribute::open_regular(to_path(&path))
        .and_then(attribute::remove)
        .map_err(|errno| errno as i32)
}

#[rustler::nif]
fn file_decode(bytes: Binary) -> Result<Attribute, i32> {
    decode(bytes.as_slice())
}

fn decode(bytes: &[u8]) -> Result<Attribute, i32> {
    let file = xattr::decode(bytes).map_err(|_| INVALID)?;
    let triple = masks(&file.to_caps());
    Ok((file.revision.number(), file.effective, triple, file.rootid))
}

fn to_path<'a>(path: &'a Binary<'_>) -> &'a Path {
    Path::new(OsStr::from_bytes(path.as_slice()))
}
