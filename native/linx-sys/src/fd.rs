//! Descriptors: pipes, terminals, sockets, and what is read from and written to them.
//!
//! Everything made here is close-on-exec.

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{fcntl, open, FcntlArg, OFlag};
use nix::pty::Winsize;
use nix::sys::signal::SigSet;
use nix::sys::signalfd::SfdFlags;
use nix::sys::socket::{connect, socket, AddressFamily, SockFlag, SockType, UnixAddr};
use nix::sys::stat::Mode;
use nix::sys::uio::{readv, writev};

use crate::child::Namespace;

/// A pipe: (read end, write end), each blocking. `pipe2(2)`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

/// Makes reads and writes on this open file description fail with `EAGAIN` rather than wait. Not for a
/// description that is shared with anybody else.
pub fn set_nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Has a pipe hold this many bytes, or as many as it did where the kernel refuses: `F_SETPIPE_SZ`, `fcntl(2)`.
pub fn widen_pipe(pipe: impl AsFd, bytes: i32) {
    let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(bytes));
}

/// A new pseudo-terminal: (master, slave). `pty(7)`; the slave is opened through the master (`TIOCGPTPEER`), not by
/// a path that may lead elsewhere in another mount namespace.
pub fn open_pty(size: Size) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = open("/dev/ptmx", flags, Mode::empty())?;
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &unlock) })?;
    // SAFETY: TIOCGPTPEER takes open flags.
    let slave =
        Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()) })?;
    // SAFETY: a new descriptor, ours alone.
    let slave = unsafe { OwnedFd::from_raw_fd(slave) };
    set_winsize(&master, size)?;
    Ok((master, slave))
}

/// The size of a terminal: rows, columns, and both in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Size {
    pub rows: u16,
    pub cols: u16,
    pub xpixel: u16,
    pub ypixel: u16,
}

/// Sets a terminal's size; its foreground process group gets SIGWINCH. `TIOCSWINSZ`, `ioctl_tty(2)`.
pub fn set_winsize(terminal: impl AsFd, size: Size) -> Result<(), Errno> {
    let Size {
        rows,
        cols,
        xpixel,
        ypixel,
    } = size;
    let size = Winsize {
        ws_row: rows,
        ws_col: cols,
        ws_xpixel: xpixel,
        ws_ypixel: ypixel,
    };
    let fd = terminal.as_fd().as_raw_fd();
    // SAFETY: TIOCSWINSZ reads one winsize.
    Errno::result(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &size) }).map(drop)
}

/// Connects a stream socket without waiting: `EAGAIN` when the listener's queue is full. The descriptor
/// returned is blocking. `unix(7)`.
pub fn connect_unix(path: &CStr) -> Result<OwnedFd, Errno> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(fd.as_raw_fd(), &address)?;
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(fd)
}

/// One namespace of a process (`namespaces(7)`), or `None` if this process is in it already.
pub fn open_namespace(pid: i32, ns: Namespace) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let name = ns.file();
    let theirs = open(
        format!("/proc/{pid}/ns/{name}").as_str(),
        flags,
        Mode::empty(),
    )?;
    let ours = open(
        format!("/proc/self/ns/{name}").as_str(),
        flags,
        Mode::empty(),
    )?;
    let same = |a: &nix::sys::stat::FileStat, b: &nix::sys::stat::FileStat| {
        (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
    };
    let is_same = same(
        &nix::sys::stat::fstat(&theirs)?,
        &nix::sys::stat::fstat(&ours)?,
    );
    Ok((!is_same).then_some(theirs))
}

/// Tells of signals; `signalfd(2)`.
pub use nix::sys::signalfd::SignalFd;

/// `signalfd(2)`: becomes readable when one of the signals that end a program is pending: SIGTERM, SIGINT, SIGHUP, SIGQUIT. They must be
/// blocked, as they are after [`crate::process::prepare_process`].
pub fn signal_fd() -> Result<SignalFd, Errno> {
    use nix::sys::signal::Signal;
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        set.add(signal);
    }
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// How many bytes could be read at once. `FIONREAD` in `pipe(7)`.
pub fn readable_bytes(fd: impl AsFd) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD stores one int.
    Errno::result(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::FIONREAD, &mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// `readv(2)` into `buffer`; 0 is the end of file. `EINTR` is tried again.
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    again(|| readv(&fd, &mut [IoSliceMut::new(buffer)]))
}

/// `writev(2)`: one buffer after another, as far as they go. `EINTR` is tried again.
pub fn write(fd: impl AsFd, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    again(|| writev(&fd, buffers))
}

fn again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// Takes ownership of a descriptor that this process was started with. `EBADF` if it is not open.
///
/// Each number may be claimed once, before anything else could have made a descriptor of that number; a second claim is
/// refused with `EBUSY`.
pub fn claim(number: i32) -> Result<OwnedFd, Errno> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CLAIMED: AtomicU64 = AtomicU64::new(0);
    let bit = u32::try_from(number)
        .ok()
        .and_then(|n| 1u64.checked_shl(n))
        .ok_or(Errno::EBADF)?;
    // SAFETY: F_GETFD only asks.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if CLAIMED.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(Errno::EBUSY);
    }
    // SAFETY: open, and claimed by nobody before.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: F_SETFD takes numbers.
    Errno::result(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(fd)
}

/// Opens `/dev/null` for every one of descriptors 0, 1, 2 that is closed, so that no other file can take
/// their numbers.
pub fn fill_standard() -> Result<(), Errno> {
    loop {
        let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        std::mem::forget(null);
    }
}

/// Waiting for many descriptors at once. `epoll(7)`, level-triggered.
pub struct Poller(nix::sys::epoll::Epoll);

/// What a descriptor is watched for, and was found to be.
pub use nix::sys::epoll::{EpollEvent, EpollFlags};

impl Poller {
    /// `epoll_create1(2)`: a poller that watches nothing.
    pub fn new() -> Result<Self, Errno> {
        use nix::sys::epoll::{Epoll, EpollCreateFlags};
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map(Poller)
    }

    /// `epoll_ctl(2)`: starts watching `fd`; events carry `token`.
    pub fn watch(&self, fd: impl AsFd, flags: EpollFlags, token: u64) -> Result<(), Errno> {
        self.0.add(fd, EpollEvent::new(flags, token))
    }

    /// `epoll_ctl(2)`: changes what `fd` is watched for.
    pub fn change(&self, fd: impl AsFd, flags: EpollFlags, token: u64) -> Result<(), Errno> {
        self.0.modify(fd, &mut EpollEvent::new(flags, token))
    }

    /// `epoll_ctl(2)`: stops watching `fd`.
    pub fn forget(&self, fd: impl AsFd) -> Result<(), Errno> {
        self.0.delete(fd)
    }

    /// `epoll_wait(2)`: waits until something happens, at most `millis` (for ever if `None`); the events are put into `events`.
    pub fn wait(&self, events: &mut [EpollEvent], millis: Option<u16>) -> Result<usize, Errno> {
        use nix::sys::epoll::EpollTimeout;
        let timeout = millis.map_or(EpollTimeout::NONE, EpollTimeout::from);
        again(|| self.0.wait(events, timeout))
    }
}
