//! What the VM's own process stands in.

use std::os::unix::ffi::OsStringExt;

use crate::process::Bytes;

/// The working directory, `getcwd(3)`; `None` if it has been removed.
#[rustler::nif]
fn cwd() -> Option<Bytes> {
    let directory = std::env::current_dir().ok()?;
    Some(Bytes(directory.into_os_string().into_vec()))
}
