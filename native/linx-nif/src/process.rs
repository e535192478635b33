//! What the status of processes tells beside the sets of one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use linx_caps::status::{self, Status};
use linx_caps::Ids;
use linx_sys::{kernel, proc_list, process};
use rustler::{Binary, Encoder, Env, NewBinary, Term};

use crate::status::{to_masks, Failure, Masks};

/// Real, effective, saved and file-system id.
pub type FourIds = (u32, u32, u32, u32);

/// Sets, user ids, group ids, supplementary groups, `no_new_privs`.
type Task = (Masks, FourIds, FourIds, Vec<u32>, Option<bool>);

/// A process of a list: pid, parent, name, effective uid, sets.
struct Entry {
    pid: u32,
    ppid: u32,
    name: Bytes,
    uid: u32,
    masks: Masks,
}

/// A binary of what may be no text.
pub struct Bytes(pub Vec<u8>);

impl Encoder for Entry {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        (self.pid, self.ppid, &self.name, self.uid, self.masks).encode(env)
    }
}

impl Encoder for Bytes {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        let mut binary = NewBinary::new(env, self.0.len());
        binary.as_mut_slice().copy_from_slice(&self.0);
        binary.into()
    }
}

#[rustler::nif(schedule = "DirtyIo")]
fn list_processes(dir: Binary) -> Result<Vec<Entry>, Failure> {
    each(&dir, |pid, text| {
        entry(pid, status::parse_brief(text).ok()?)
    })
}

#[rustler::nif(schedule = "DirtyIo")]
fn list_threads(dir: Binary) -> Result<Vec<(u32, Masks)>, Failure> {
    each(&dir, |tid, text| {
        Some((tid, to_masks(status::parse_caps(text).ok()?)))
    })
}

/// What `with` makes of each status in a directory; a text it can make nothing of is `BadStatus`.
fn each<T>(dir: &Binary, with: impl Fn(u32, &[u8]) -> Option<T>) -> Result<Vec<T>, Failure> {
    let mut found = Some(Vec::new());
    let listed = proc_list::each(path(dir), |id, text| {
        if let Some(list) = &mut found {
            match with(id, text) {
                Some(item) => list.push(item),
                None => found = None,
            }
        }
    });
    listed?;
    found.ok_or(Failure::BadStatus)
}

fn entry(pid: u32, status: Status) -> Option<Entry> {
    Some(Entry {
        pid,
        ppid: status.ppid?,
        masks: to_masks(status.state()),
        uid: status.uid?.effective,
        name: Bytes(status.name?),
    })
}

#[rustler::nif(schedule = "DirtyIo")]
fn read_task(file: Binary) -> Result<Task, Failure> {
    let parse = |text: &[u8]| status::parse(text).ok().and_then(task);
    linx_sys::status::read(path(&file), parse)?.ok_or(Failure::BadStatus)
}

fn task(status: Status) -> Option<Task> {
    let (uid, gid) = (four(status.uid?), four(status.gid?));
    let masks = to_masks(status.state());
    Some((masks, uid, gid, status.groups?, status.no_new_privs))
}

pub fn four(ids: Ids) -> FourIds {
    (ids.real, ids.effective, ids.saved, ids.fs)
}

#[rustler::nif]
fn securebits() -> Result<u32, i32> {
    process::securebits().map_err(|errno| errno as i32)
}

#[rustler::nif]
fn max_bits() -> u8 {
    kernel::max_bits()
}

/// The bit of a name in any spelling of libcap's, or of a number. What is longer than any is not looked at.
#[rustler::nif]
fn cap_from_text(text: Binary) -> Option<u8> {
    let word = Some(text.as_slice()).filter(|word| word.len() <= LONGEST_NAME);
    word.and_then(linx_caps::text::capability)
}

/// The capability name that a wrong one may have meant.
#[rustler::nif]
fn nearest_name(text: Binary) -> Option<&'static str> {
    std::str::from_utf8(text.as_slice())
        .ok()
        .and_then(linx_caps::nearest_name)
}

const LONGEST_NAME: usize = 64;

fn path<'a>(bytes: &'a Binary) -> &'a Path {
    Path::new(OsStr::from_bytes(bytes.as_slice()))
}
