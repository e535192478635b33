//! The extended attribute `security.capability` of regular files (xattr(7), capabilities(7)).
//!
//! A path is resolved once, by [`open_regular`]; what is asked and changed after that is the file found
//! then, whatever the path has come to mean.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{open, OFlag};
use nix::sys::stat::{fstat, Mode, SFlag};

const NAME: &CStr = c"security.capability";

/// More than any revision of the attribute has.
const ROOM: usize = 64;

/// Finds a regular file without opening it for anything (`O_PATH`): no permission on the file is asked,
/// a FIFO does not block, a device does not notice.
///
/// # Errors
/// `ELOOP` for a symbolic link as last component, `EISDIR` for a directory, `EINVAL` for what is no regular
/// file otherwise and for a path with a zero byte, and the errors of open(2).
///
/// ```
/// use linx_sys::xattr::open_regular;
/// use std::path::Path;
/// assert!(open_regular(Path::new("/etc/passwd")).is_ok());
/// assert_eq!(open_regular(Path::new("/etc")).map(drop), Err(nix::errno::Errno::EISDIR));
/// ```
pub fn open_regular(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = open(path, flags, Mode::empty())?;
    let kind = SFlag::from_bits_truncate(fstat(&fd)?.st_mode) & SFlag::S_IFMT;
    match kind {
        SFlag::S_IFREG => Ok(fd),
        SFlag::S_IFLNK => Err(Errno::ELOOP),
        SFlag::S_IFDIR => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

/// The bytes of the attribute.
///
/// # Errors
/// `ENODATA` if there is none, `EOPNOTSUPP` from a file system without attributes, `EOVERFLOW` if it is for a
/// user namespace that has no id in the present one, `ENOSYS` without procfs; see getxattr(2).
///
/// ```
/// use linx_sys::xattr::{get, open_regular};
/// let passwd = open_regular(std::path::Path::new("/etc/passwd"))?;
/// assert_eq!(get(&passwd), Err(nix::errno::Errno::ENODATA));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn get(fd: impl AsFd) -> Result<Vec<u8>, Errno> {
    let path = magic_link(fd.as_fd())?;
    let mut room = [0u8; ROOM];
    // SAFETY: both strings end in a zero byte, and the kernel writes at most the length given.
    let length = unsafe {
        libc::getxattr(
            path.as_ptr(),
            NAME.as_ptr(),
            room.as_mut_ptr().cast(),
            room.len(),
        )
    };
    let length = result(length)?;
    Ok(room.get(..length).unwrap_or_default().to_vec())
}

/// Replaces the attribute, by bytes as [`linx_caps::xattr::encode`] makes them.
///
/// # Errors
/// `EPERM` without `CAP_SETFCAP`, `EINVAL` for bytes the kernel does not take, `EOPNOTSUPP`, `EROFS`, `ENOSYS`
/// without procfs; see setxattr(2).
///
/// ```
/// use linx_sys::xattr::{open_regular, set};
/// let own_program = open_regular(&std::env::current_exe()?)?;
/// assert_eq!(set(&own_program, b"no capabilities"), Err(nix::errno::Errno::EINVAL));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set(fd: impl AsFd, value: &[u8]) -> Result<(), Errno> {
    let path = magic_link(fd.as_fd())?;
    // SAFETY: both strings end in a zero byte, and the kernel reads no more than the slice's length.
    let done = unsafe {
        libc::setxattr(
            path.as_ptr(),
            NAME.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    result(done as isize).map(drop)
}

/// Removes the attribute.
///
/// # Errors
/// `ENODATA` if there is none, and those of [`set`]; see removexattr(2).
///
/// ```
/// use linx_sys::xattr::{open_regular, remove};
/// use nix::errno::Errno::{ENODATA, EPERM};
/// let own_program = open_regular(&std::env::current_exe()?)?;
/// assert!(matches!(remove(&own_program), Err(ENODATA | EPERM)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove(fd: impl AsFd) -> Result<(), Errno> {
    let path = magic_link(fd.as_fd())?;
    // SAFETY: both strings end in a zero byte.
    let done = unsafe { libc::removexattr(path.as_ptr(), NAME.as_ptr()) };
    result(done as isize).map(drop)
}

/// The attribute calls take no `O_PATH` descriptor, but this link, which leads to the very file and not
/// to a name of it (proc_pid_fd(5)).
fn magic_link(fd: BorrowedFd<'_>) -> Result<CString, Errno> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    CString::new(path).map_err(|_| Errno::EINVAL)
}

/// A file that is held cannot be missing: what is missing is procfs.
fn result(returned: isize) -> Result<usize, Errno> {
    match Errno::result(returned) {
        Ok(value) => Ok(usize::try_from(value).unwrap_or(0)),
        Err(Errno::ENOENT) => Err(Errno::ENOSYS),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{symlink, MetadataExt};
    use std::path::PathBuf;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let path =
                std::env::temp_dir().join(format!("linx-xattr-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn open_error(path: &str) -> Errno {
        open_regular(Path::new(path)).map(drop).unwrap_err()
    }

    #[test]
    fn only_regular_files_are_opened() {
        let scratch = Scratch::new("kinds");
        let (link, fifo) = (scratch.0.join("link"), scratch.0.join("fifo"));
        symlink("/etc/passwd", &link).unwrap();
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        assert_eq!(open_error(link.to_str().unwrap()), Errno::ELOOP);
        assert_eq!(open_error(fifo.to_str().unwrap()), Errno::EINVAL);
        assert_eq!(open_error("/dev/null"), Errno::EINVAL);
        assert_eq!(open_error("/etc"), Errno::EISDIR);
        assert_eq!(open_error("/etc/passwd/x"), Errno::ENOTDIR);
        assert_eq!(open_error("/nowhere"), Errno::ENOENT);
        assert_eq!(open_error("/et\0c"), Errno::EINVAL);
        assert_eq!(open_error(""), Errno::ENOENT);
    }

    #[test]
    fn the_file_and_not_its_name_is_asked() {
        let scratch = Scratch::new("name");
        let path = scratch.0.join("file");
        fs::write(&path, "").unwrap();
        let fd = open_regular(&path).unwrap();
        fs::remove_file(&path).unwrap();
        symlink("/proc/self/status", &path).unwrap();
        assert_eq!(get(&fd), Err(Errno::ENODATA));
    }

    #[test]
    fn a_file_system_without_attributes_says_so() {
        let fd = open_regular(Path::new("/proc/self/status")).unwrap();
        assert_eq!(get(&fd), Err(Errno::EOPNOTSUPP));
        assert_eq!(set(&fd, &[0; 20]), Err(Errno::EINVAL));
    }

    #[test]
    fn what_is_set_is_got_until_removed() {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return eprintln!("skipped: only root sets file capabilities");
        }
        let scratch = Scratch::new("round");
        let path = scratch.0.join("file");
        fs::write(&path, "").unwrap();
        let fd = open_regular(&path).unwrap();
        let value = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        set(&fd, &value).unwrap();
        assert_eq!(get(&fd).unwrap(), value);
        assert_eq!(open_regular(&path).and_then(get).unwrap(), value);
        remove(&fd).unwrap();
        assert_eq!(get(&fd), Err(Errno::ENODATA));
        assert_eq!(remove(&fd), Err(Errno::ENODATA));
    }
}
