//! A file as `execve(2)` looks at it: its set-id bits, its owner, its capabilities, its mount, and
//! the interpreter in its first line.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{open, openat2, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{fstat, Mode, SFlag};
use nix::sys::statvfs::{fstatvfs, FsFlags};

use crate::xattr;

/// What the kernel reads of a file to see what it is (`BINPRM_BUF_SIZE`).
pub const HEADER_SIZE: usize = 256;

/// How many scripts may interpret one another (`exec_binprm` in the kernel's fs/exec.c).
const MAX_SCRIPTS: usize = 5;

/// The file whose rights count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecFile {
    /// The permission and set-id bits.
    pub mode: u32,
    /// The uid that owns it.
    pub owner: u32,
    /// The gid that owns it.
    pub group: u32,
    /// Whether its mount is `nosuid`.
    pub nosuid: bool,
    /// The attribute `security.capability`; `None` if there is none, or none for this user namespace.
    pub capability: Option<Vec<u8>>,
    /// The interpreters that led here, from the first script's on; empty for what is no script.
    pub interpreters: Vec<Vec<u8>>,
}

/// Looks at the file that would be executed for `path`: of a script, the interpreter at the end
/// (`#!` in execve(2)), since the kernel ignores the rights of scripts. What binfmt_misc does is not followed.
///
/// With a `root`, absolute paths and links lead no further than there, as after chroot(2).
///
/// # Errors
/// Those of open(2); `EACCES` for what is no regular file, as from execve(2), and for a file that may not be read,
/// since it may be a script; `ELOOP` for too many scripts; `ENOSYS` without procfs.
///
/// ```
/// use std::path::Path;
/// let passwd = linx_sys::exec_file::examine(None, Path::new("/etc/passwd"))?;
/// assert_eq!((passwd.owner, passwd.mode & 0o6000), (0, 0));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn examine(root: Option<&Path>, path: &Path) -> Result<ExecFile, Errno> {
    let root = root.map(open_path).transpose()?;
    let mut interpreters: Vec<Vec<u8>> = Vec::new();
    loop {
        let file = match interpreters.last() {
            None => open_in(root.as_ref(), path)?,
            Some(name) => open_in(root.as_ref(), Path::new(OsStr::from_bytes(name)))?,
        };
        match interpreter(&header(&file)?) {
            None => return rights(file, interpreters),
            Some(_) if interpreters.len() == MAX_SCRIPTS => return Err(Errno::ELOOP),
            Some(name) => interpreters.push(name.to_vec()),
        }
    }
}

/// `O_PATH` asks for no permission on the file, and a FIFO does not block.
const FLAGS: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, FLAGS, Mode::empty())
}

fn open_in(root: Option<&OwnedFd>, path: &Path) -> Result<OwnedFd, Errno> {
    let file = match root {
        None => open_path(path)?,
        Some(root) => {
            let how = OpenHow::new()
                .flags(FLAGS)
                .resolve(ResolveFlag::RESOLVE_IN_ROOT);
            openat2(root, path, how)?
        }
    };
    let kind = SFlag::from_bits_truncate(fstat(&file)?.st_mode) & SFlag::S_IFMT;
    match kind {
        SFlag::S_IFREG => Ok(file),
        _ => Err(Errno::EACCES),
    }
}

fn rights(file: OwnedFd, interpreters: Vec<Vec<u8>>) -> Result<ExecFile, Errno> {
    let stat = fstat(&file)?;
    let capability = match xattr::get(&file) {
        Ok(value) => Some(value),
        Err(Errno::ENODATA | Errno::EOPNOTSUPP | Errno::EOVERFLOW) => None,
        Err(errno) => return Err(errno),
    };
    Ok(ExecFile {
        mode: stat.st_mode & 0o7777,
        owner: stat.st_uid,
        group: stat.st_gid,
        nosuid: fstatvfs(&file)?.flags().contains(FsFlags::ST_NOSUID),
        capability,
        interpreters,
    })
}

/// The first bytes of a file, by the link that leads to the very file (proc_pid_fd(5)).
fn header(file: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let failed = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    let mut bytes = Vec::with_capacity(HEADER_SIZE);
    File::open(link)
        .and_then(|file| file.take(HEADER_SIZE as u64).read_to_end(&mut bytes))
        .map_err(failed)?;
    Ok(bytes)
}

/// The interpreter that a script names in its first [`HEADER_SIZE`] bytes, or all it has, as `load_script` in the kernel's
/// fs/binfmt_script.c finds it; `None` for what the kernel does not take for a script.
///
/// ```
/// use linx_sys::exec_file::interpreter;
/// assert_eq!(interpreter(b"#! /bin/sh -e\nexit 0\n"), Some(&b"/bin/sh"[..]));
/// assert_eq!(interpreter(b"\x7fELF"), None);
/// ```
pub fn interpreter(header: &[u8]) -> Option<&[u8]> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0);
    let rest = header.strip_prefix(b"#!")?;
    let start = rest.iter().position(|byte| !blank(byte))?;
    let rest = rest.get(start..)?;
    let length = match rest.iter().position(ends) {
        Some(length) => length,
        // A name that fills all the kernel reads may go on.
        None if header.len() == HEADER_SIZE => return None,
        None => rest.len(),
    };
    rest.get(..length).filter(|name| !name.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{symlink, PermissionsExt};
    use std::path::PathBuf;
    use std::process::{Command, ExitStatus};

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let name = format!("linx-exec-file-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }

        fn program(&self, name: &str, content: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Tries again while a child of another test still has the file open for writing.
    fn run(path: &Path) -> Result<ExitStatus, Errno> {
        loop {
            let ran = Command::new(path).status();
            match ran.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap())) {
                Err(Errno::ETXTBSY) => std::thread::yield_now(),
                other => return other,
            }
        }
    }

    /// The first lines of scripts, and what each leads to if it is `PROGRAM` that they name.
    fn first_lines(program: &str) -> Vec<(String, bool)> {
        let name_up_to = |length: usize| format!("#!/{}", "/".repeat(length)) + program;
        let long = |total: usize| name_up_to(total - 3 - program.len());
        vec![
            (format!("#!{program}\n"), true),
            (format!("#!{program}"), true),
            (format!("#! \t{program}\n"), true),
            (format!("#!{program} -x y\n"), true),
            (format!("#!{program}\t\n"), true),
            (format!("#!{program}\0rest\n"), true),
            (format!("#!{program}\n{}", "x".repeat(400)), true),
            (format!("#!{program} {}", "x".repeat(400)), true),
            (format!("{}\n", long(254)), true),
            (long(255), true),
            (format!("{}\n", long(255)), true),
            (format!("{}\n", long(256)), false),
            (format!("{}\n", long(300)), false),
            (format!("#!{}", " ".repeat(400)), false),
            ("#!\n".to_owned(), false),
            (format!("#!\n{program}\n"), false),
            (format!("#! \n{program}"), false),
            ("#!".to_owned(), false),
            (format!("#{program}\n"), false),
            (format!(" #!{program}\n"), false),
        ]
    }

    #[test]
    fn scripts_are_what_the_kernel_takes_for_scripts() {
        let scratch = Scratch::new("lines");
        let program = fs::canonicalize("/bin/true").unwrap();
        for (text, is_script) in first_lines(program.to_str().unwrap()) {
            let script = scratch.program("script", text.as_bytes());
            let found = examine(None, &script).unwrap();
            assert_eq!(!found.interpreters.is_empty(), is_script, "{text:?}");
            let ran = run(&script);
            assert_eq!(ran.is_ok(), is_script, "{text:?}: {ran:?}");
        }
    }

    #[test]
    fn scripts_lead_on_as_far_as_the_kernel_goes() {
        let scratch = Scratch::new("chain");
        let mut next = fs::canonicalize("/bin/true").unwrap();
        for depth in 1..=MAX_SCRIPTS + 1 {
            let line = format!("#!{}\n", next.display());
            next = scratch.program(&depth.to_string(), line.as_bytes());
            let found = examine(None, &next).map(|file| file.interpreters.len());
            assert_eq!(found, run(&next).map(|_| depth), "depth {depth}");
        }
    }

    #[test]
    fn the_rights_are_those_of_the_interpreter() {
        let scratch = Scratch::new("rights");
        let script = scratch.program("script", b"#!/bin/true\n");
        fs::set_permissions(&script, Permissions::from_mode(0o6755)).unwrap();
        let (of_script, of_program) = (
            examine(None, &script).unwrap(),
            examine(None, Path::new("/bin/true")).unwrap(),
        );
        assert_eq!(of_script.interpreters, [b"/bin/true"]);
        assert_eq!(
            of_program,
            ExecFile {
                interpreters: vec![],
                ..of_script
            }
        );
    }

    #[test]
    fn a_root_is_not_left() {
        let scratch = Scratch::new("root");
        let program = scratch.program("program", b"\x7fELF");
        fs::set_permissions(&program, Permissions::from_mode(0o4711)).unwrap();
        scratch.program("script", b"#!/../program\n");
        symlink("/script", scratch.0.join("link")).unwrap();
        let found = examine(Some(&scratch.0), Path::new("/link")).unwrap();
        assert_eq!(
            (found.mode, found.interpreters.len()),
            (0o4711, 1),
            "{found:?}"
        );
        let outside = examine(Some(&scratch.0), Path::new("/../../../../bin/true"));
        assert_eq!(outside, Err(Errno::ENOENT));
    }

    #[test]
    fn what_cannot_be_executed_is_an_error() {
        assert_eq!(examine(None, Path::new("/tmp")), Err(Errno::EACCES));
        assert_eq!(examine(None, Path::new("/dev/null")), Err(Errno::EACCES));
        assert_eq!(examine(None, Path::new("/nowhere")), Err(Errno::ENOENT));
        assert_eq!(examine(None, Path::new("/bin\0")), Err(Errno::EINVAL));
        let nowhere = examine(Some(Path::new("/nowhere")), Path::new("/bin/true"));
        assert_eq!(nowhere, Err(Errno::ENOENT));
    }
}
