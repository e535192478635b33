//! Reading the status files of procfs.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nix::errno::Errno;

/// What a status file usually fits in; longer are those of a process with many groups.
const USUAL_SIZE: usize = 4096;

/// The longest status file taken. A process with 65,536 groups, the kernel's limit, has one of 0.7 MiB.
pub const MAX_SIZE: usize = 1 << 20;

/// Why a status file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A system call failed: `ENOENT` for a process that is gone, `ESRCH` for one that went while it was read.
    #[error("errno {0}")]
    Errno(i32),
    /// More than [`MAX_SIZE`] bytes: not a status file.
    #[error("larger than a status file can be")]
    TooLarge,
}

impl From<Errno> for ReadError {
    fn from(errno: Errno) -> ReadError {
        ReadError::Errno(errno as i32)
    }
}

impl From<io::Error> for ReadError {
    /// An error that is none of the kernel's is a path with a zero byte, which the kernel calls `EINVAL`.
    fn from(error: io::Error) -> ReadError {
        ReadError::Errno(error.raw_os_error().unwrap_or(libc::EINVAL))
    }
}

/// Opens `path` (see proc_pid_status(5)), reads it to its end, and gives `with` its bytes.
///
/// The file is held open only while it is read; a file of usual size costs no allocation.
///
/// # Errors
/// The errno of open(2) or read(2), or [`ReadError::TooLarge`].
///
/// ```
/// use std::path::Path;
/// let length = linx_sys::status::read(Path::new("/proc/self/status"), |text| text.len())?;
/// assert!(length > 0);
/// # Ok::<(), linx_sys::status::ReadError>(())
/// ```
pub fn read<T>(path: &Path, with: impl FnOnce(&[u8]) -> T) -> Result<T, ReadError> {
    let mut file = File::open(path)?;
    let mut buffer = [0; USUAL_SIZE];
    let mut filled = 0;
    while let Some(space @ [_, ..]) = buffer.get_mut(filled..) {
        match read_some(&mut file, space)? {
            0 => break,
            count => filled += count,
        }
    }
    let head = buffer.get(..filled).unwrap_or(&buffer);
    if filled < USUAL_SIZE {
        drop(file);
        return Ok(with(head));
    }
    let text = read_rest(file, head)?;
    Ok(with(&text))
}

fn read_rest(file: File, head: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut text = head.to_vec();
    let limit = (MAX_SIZE + 1).saturating_sub(text.len());
    file.take(limit as u64).read_to_end(&mut text)?;
    if text.len() > MAX_SIZE {
        return Err(ReadError::TooLarge);
    }
    Ok(text)
}

fn read_some(file: &mut File, space: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn read_text(path: &Path) -> Result<Vec<u8>, ReadError> {
        read(path, <[u8]>::to_vec)
    }

    fn with_file<T>(content: &[u8], run: impl FnOnce(&Path) -> T) -> T {
        let path = std::env::temp_dir().join(format!(
            "linx-status-{}-{}",
            std::process::id(),
            content.len()
        ));
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(content).unwrap();
        let result = run(&path);
        fs::remove_file(&path).unwrap();
        result
    }

    #[test]
    fn our_own_status_tells_our_pid() {
        let text = String::from_utf8(read_text(Path::new("/proc/self/status")).unwrap()).unwrap();
        assert!(text.contains(&format!("\nPid:\t{}\n", std::process::id())));
        assert!(text.contains("\nCapBnd:\t"));
    }

    #[test]
    fn errno_is_kept() {
        let gone = read_text(Path::new("/proc/1234567890/status"));
        assert_eq!(gone, Err(ReadError::Errno(libc::ENOENT)));
        let directory = read_text(Path::new("/proc/self"));
        assert_eq!(directory, Err(ReadError::Errno(libc::EISDIR)));
        let nul = read_text(Path::new("/proc/se\0lf/status"));
        assert_eq!(nul, Err(ReadError::Errno(libc::EINVAL)));
    }

    #[test]
    fn every_size_up_to_the_limit_arrives_whole() {
        for size in [0, 1, USUAL_SIZE - 1, USUAL_SIZE, USUAL_SIZE + 1, MAX_SIZE] {
            let content: Vec<u8> = (0..size).map(|at| at as u8).collect();
            assert!(with_file(&content, read_text) == Ok(content), "{size}");
        }
        let content = vec![0; MAX_SIZE + 1];
        assert_eq!(with_file(&content, read_text), Err(ReadError::TooLarge));
    }
}
