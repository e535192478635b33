//! The text of `/proc/PID/status` and `/proc/PID/task/TID/status` (proc_pid_status(5); written by
//! `proc_pid_status` in the kernel's `fs/proc/array.c`).

mod brief;
mod cap_lines;
mod status_error;

pub use brief::parse_brief;
pub use cap_lines::parse_caps;
pub use status_error::StatusError;

use crate::capset::CapSet;
use crate::ids::Ids;
use crate::state::State;

/// What a status text says. Only the five sets are always there; the rest is `None` where the
/// kernel does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `CapInh`.
    pub inheritable: CapSet,
    /// `CapPrm`.
    pub permitted: CapSet,
    /// `CapEff`.
    pub effective: CapSet,
    /// `CapBnd`.
    pub bounding: CapSet,
    /// `CapAmb`.
    pub ambient: CapSet,
    /// `NoNewPrivs` (since Linux 4.10).
    pub no_new_privs: Option<bool>,
    /// `Name`: the command name as bytes, the kernel's escapes undone.
    pub name: Option<Vec<u8>>,
    /// `PPid`.
    pub ppid: Option<u32>,
    /// `Uid`.
    pub uid: Option<Ids>,
    /// `Gid`.
    pub gid: Option<Ids>,
    /// `Groups`: the supplementary groups.
    pub groups: Option<Vec<u32>>,
}

impl Status {
    /// The five sets, from the `Cap…` lines (proc_pid_status(5)).
    ///
    /// ```
    /// use linx_caps::status;
    /// let text = b"CapInh: 1\nCapPrm: 2\nCapEff: 4\nCapBnd: 8\nCapAmb: 10\n";
    /// let status = status::parse(text)?;
    /// assert_eq!(status.state(), status::parse_caps(text)?);
    /// # Ok::<(), status::StatusError>(())
    /// ```
    pub const fn state(&self) -> State {
        State {
            inheritable: self.inheritable,
            permitted: self.permitted,
            effective: self.effective,
            bounding: self.bounding,
            ambient: self.ambient,
        }
    }
}

/// Reads a whole status text (proc_pid_status(5)). Time is linear in its length.
///
/// Keys may come in any order, values after tabs or spaces, hex in either case. Where only the
/// five sets matter, [`parse_caps`] does it without allocating.
///
/// # Errors
/// A `Cap…` line that is missing, comes twice or is malformed; another known line that is
/// malformed. Unknown lines are skipped.
///
/// ```
/// use linx_caps::{status::{self, StatusError}, Ids};
/// let text = b"Name:\tnginx\nPPid:\t1\nUid:\t33\t33\t33\t33\nGroups:\t4 24 \n\
///              CapInh:\t0\nCapPrm:\t400\nCapEff:\t400\nCapBnd:\t400\nCapAmb:\t0\nNoNewPrivs:\t1\n";
/// let status = status::parse(text)?;
/// assert_eq!(status.name.as_deref(), Some(&b"nginx"[..]));
/// assert_eq!(status.uid, Some(Ids::all(33)));
/// assert_eq!(status.groups, Some(vec![4, 24]));
/// assert_eq!(status.no_new_privs, Some(true));
/// assert_eq!(status::parse(b"Name:\tx\n"), Err(StatusError::Missing("CapInh")));
/// # Ok::<(), StatusError>(())
/// ```
pub fn parse(text: &[u8]) -> Result<Status, StatusError> {
    let mut status = Status::of(parse_caps(text)?);
    for line in text.split(|byte| *byte == b'\n') {
        if let Some((key, value)) = split_key(line) {
            status.take(key, value)?;
        }
    }
    Ok(status)
}

impl Status {
    fn of(state: State) -> Status {
        Status {
            inheritable: state.inheritable,
            permitted: state.permitted,
            effective: state.effective,
            bounding: state.bounding,
            ambient: state.ambient,
            no_new_privs: None,
            name: None,
            ppid: None,
            uid: None,
            gid: None,
            groups: None,
        }
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), StatusError> {
        match key {
            b"Name" => fill(&mut self.name, "Name", command_name(value)),
            b"PPid" => fill(&mut self.ppid, "PPid", number(value.trim_ascii())),
            b"Uid" => fill(&mut self.uid, "Uid", ids(value)),
            b"Gid" => fill(&mut self.gid, "Gid", ids(value)),
            b"Groups" => fill(
                &mut self.groups,
                "Groups",
                words(value).map(number).collect(),
            ),
            b"NoNewPrivs" => fill(&mut self.no_new_privs, "NoNewPrivs", flag(value)),
            _ => Ok(()),
        }
    }
}

fn fill<T>(slot: &mut Option<T>, key: &'static str, value: Option<T>) -> Result<(), StatusError> {
    let value = value.ok_or(StatusError::Malformed(key))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(StatusError::Duplicate(key)),
    }
}

fn split_key(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (key, rest) = line.split_at_checked(colon)?;
    Some((key, rest.get(1..)?))
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

fn number(word: &[u8]) -> Option<u32> {
    if !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn ids(value: &[u8]) -> Option<Ids> {
    let mut numbers = words(value).map(number);
    let ids = Ids {
        real: numbers.next()??,
        effective: numbers.next()??,
        saved: numbers.next()??,
        fs: numbers.next()??,
    };
    numbers.next().is_none().then_some(ids)
}

fn flag(value: &[u8]) -> Option<bool> {
    match value.trim_ascii() {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

/// Undoes `proc_task_name`, which writes a newline as `\n` and a backslash as `\\`.
fn command_name(value: &[u8]) -> Option<Vec<u8>> {
    let value = match value {
        [b'\t' | b' ', name @ ..] => name,
        name => name,
    };
    let mut name = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice()) {
            (b'\\', [escaped @ (b'n' | b'\\'), ..]) => {
                name.push(if *escaped == b'n' { b'\n' } else { b'\\' });
                bytes.next();
            }
            _ => name.push(*byte),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests;
