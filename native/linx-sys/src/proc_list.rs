//! The status files of every process, or of every thread of one.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{openat, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::read;

use crate::status::{ReadError, MAX_SIZE};

/// What a status file fits in, save that of a process with a great many groups.
const USUAL_SIZE: usize = 16 * 1024;

/// The digits of any id, `/status` and a zero byte.
const NAME_ROOM: usize = 32;

/// Gives `with` the id and the status text of each process in `dir` (`/proc`), or of each thread
/// (`/proc/PID/task`), in the order the kernel lists them.
///
/// Left out are those that end before they are read, and those whose status may not be read (`hidepid` in
/// proc(5)). Costs one open and, where the text has its usual size, one read each.
///
/// # Errors
/// The errno of open(2) or getdents(2) on `dir`; of open(2) or read(2) on a status file, such as `EMFILE`;
/// [`ReadError::TooLarge`] for a status file of more than [`MAX_SIZE`] bytes.
///
/// ```
/// let mut pids = Vec::new();
/// linx_sys::proc_list::each(std::path::Path::new("/proc"), |pid, _text| pids.push(pid))?;
/// assert!(pids.contains(&std::process::id()));
/// # Ok::<(), linx_sys::status::ReadError>(())
/// ```
pub fn each(dir: &Path, mut with: impl FnMut(u32, &[u8])) -> Result<(), ReadError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut entries = Dir::open(dir, flags, Mode::empty())?;
    let names = Dir::open(dir, flags, Mode::empty())?;
    let mut buffer = vec![0; USUAL_SIZE];
    for entry in entries.iter() {
        let Some(id) = id(entry?.file_name()) else {
            continue;
        };
        match read_status(names.as_fd(), id, &mut buffer) {
            Ok(length) => with(id, buffer.get(..length).unwrap_or_default()),
            Err(ReadError::Errno(libc::ENOENT | libc::ESRCH | libc::EACCES | libc::EPERM)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn id(name: &CStr) -> Option<u32> {
    std::str::from_utf8(name.to_bytes()).ok()?.parse().ok()
}

/// Reads the status of `id` into the buffer, which grows as it must.
fn read_status(dir: BorrowedFd<'_>, id: u32, buffer: &mut Vec<u8>) -> Result<usize, ReadError> {
    let mut room = [0; NAME_ROOM];
    let name = status_name(id, &mut room)?;
    let file = openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut filled = 0;
    loop {
        let space = buffer.get_mut(filled..).unwrap_or_default();
        let wanted = space.len();
        let count = match read(&file, space) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        filled += count;
        // The kernel makes a status text in one piece: a read that is not filled was the last.
        if count < wanted {
            return Ok(filled);
        }
        if buffer.len() > MAX_SIZE {
            return Err(ReadError::TooLarge);
        }
        buffer.resize(buffer.len() * 2, 0);
    }
}

fn status_name(id: u32, room: &mut [u8; NAME_ROOM]) -> Result<&CStr, Errno> {
    write!(room.as_mut_slice(), "{id}/status").map_err(|_| Errno::ENAMETOOLONG)?;
    CStr::from_bytes_until_nul(room).map_err(|_| Errno::ENAMETOOLONG)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc;

    use super::*;

    fn texts(dir: &Path) -> Result<Vec<(u32, Vec<u8>)>, ReadError> {
        let mut found = Vec::new();
        each(dir, |id, text| found.push((id, text.to_vec())))?;
        Ok(found)
    }

    #[test]
    fn every_thread_of_ours_is_listed() {
        let (done, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = wait.recv();
        });
        let tid = u32::try_from(told.recv().unwrap()).unwrap();
        let found = texts(Path::new("/proc/self/task")).unwrap();
        drop(done);
        thread.join().unwrap();
        let (_, text) = found.iter().find(|(id, _)| *id == tid).unwrap();
        let text = String::from_utf8_lossy(text);
        assert!(text.contains(&format!("\nPid:\t{tid}\n")));
        assert!(text.contains(&format!("\nTgid:\t{}\n", std::process::id())));
    }

    #[test]
    fn what_has_no_status_is_left_out_and_sizes_have_a_limit() {
        let dir = std::env::temp_dir().join(format!("linx-list-{}", std::process::id()));
        for name in ["1", "2", "3", "self", "04x"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        fs::write(dir.join("1/status"), vec![b'x'; 3 * USUAL_SIZE]).unwrap();
        fs::write(dir.join("2/status"), "y").unwrap();
        fs::write(dir.join("self/status"), "z").unwrap();
        symlink("nowhere", dir.join("3/status")).unwrap();
        let mut found = texts(&dir).unwrap();
        found.sort();
        fs::write(dir.join("2/status"), vec![b'x'; 2 * MAX_SIZE + 1]).unwrap();
        let too_large = texts(&dir);
        fs::remove_dir_all(&dir).unwrap();
        assert!(found == [(1, vec![b'x'; 3 * USUAL_SIZE]), (2, b"y".to_vec())]);
        assert!(too_large == Err(ReadError::TooLarge));
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let gone = texts(Path::new("/proc/1234567890/task"));
        assert_eq!(gone, Err(ReadError::Errno(libc::ENOENT)));
        let no_directory = texts(Path::new("/proc/version"));
        assert_eq!(no_directory, Err(ReadError::Errno(libc::ENOTDIR)));
    }
}
