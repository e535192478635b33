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
///
/// # Errors
/// `EMFILE` or `ENFILE` when there is no descriptor left.
///
/// ```
/// use std::io::IoSlice;
/// let (from, to) = linx_sys::fd::pipe()?;
/// assert_eq!(linx_sys::fd::write(&to, &[IoSlice::new(b"hello")]), Ok(5));
/// assert_eq!(linx_sys::fd::read(&from, &mut [0; 16]), Ok(5));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC)
}

/// Makes reads and writes on this open file description fail with `EAGAIN` rather than wait (`O_NONBLOCK`, `F_SETFL` in
/// `fcntl(2)`). Not for a description that is shared with anybody else.
///
/// # Errors
/// Pipes, sockets and terminals do not refuse; see `fcntl(2)` for others.
///
/// ```
/// let (from, _to) = linx_sys::fd::pipe()?;
/// linx_sys::fd::set_nonblocking(&from)?;
/// assert_eq!(linx_sys::fd::read(&from, &mut [0; 16]), Err(nix::errno::Errno::EAGAIN));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn set_nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}

/// Has a pipe hold this many bytes, or as many as it did where the kernel refuses: `F_SETPIPE_SZ`, `fcntl(2)`. The kernel
/// rounds up to a power of two pages; without privilege `/proc/sys/fs/pipe-max-size` is the limit.
///
/// ```
/// use nix::fcntl::{fcntl, FcntlArg};
/// let (from, _to) = linx_sys::fd::pipe()?;
/// let before = fcntl(&from, FcntlArg::F_GETPIPE_SZ)?;
/// linx_sys::fd::widen_pipe(&from, -1);
/// assert_eq!(fcntl(&from, FcntlArg::F_GETPIPE_SZ), Ok(before));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn widen_pipe(pipe: impl AsFd, bytes: i32) {
    let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(bytes));
}

/// A new pseudo-terminal of this size: (master, slave). `pty(7)`; the slave is opened through the master (`TIOCGPTPEER`), not by
/// a path that may lead elsewhere in another mount namespace (`ioctl_tty(2)`).
///
/// # Errors
/// `ENOENT` without `/dev/ptmx`, `ENOSPC` when there are as many terminals as there may be (`/proc/sys/kernel/pty/max`), and
/// the errors of `open(2)`.
///
/// ```
/// use linx_sys::fd::{open_pty, Size};
/// use nix::unistd::isatty;
/// let (master, slave) = open_pty(Size { rows: 24, cols: 80, ..Size::default() })?;
/// assert_eq!((isatty(&master), isatty(&slave)), (Ok(true), Ok(true)));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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

/// Sets a terminal's size; its foreground process group gets SIGWINCH if that changed it. `TIOCSWINSZ`, `ioctl_tty(2)`;
/// `tty_do_resize` in the kernel's drivers/tty/tty_io.c.
///
/// # Errors
/// `ENOTTY` for what is no terminal.
///
/// ```
/// use linx_sys::fd::{pipe, set_winsize, Size};
/// let (no_terminal, _) = pipe()?;
/// assert_eq!(set_winsize(&no_terminal, Size::default()), Err(nix::errno::Errno::ENOTTY));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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

/// Connects a stream socket to the path of a listener, without waiting. The descriptor returned is blocking. `unix(7)`, `connect(2)`.
///
/// # Errors
/// `ENAMETOOLONG` for a path of more than 107 bytes; `ENOENT` if there is none, `ECONNREFUSED` if nobody listens there, `EAGAIN` when
/// the listener's queue is full, `EACCES` without the right to write to it, `EPROTOTYPE` for a socket of another type.
///
/// ```
/// let refused = linx_sys::fd::connect_unix(c"/nowhere");
/// assert_eq!(refused.map(drop), Err(nix::errno::Errno::ENOENT));
/// ```
pub fn connect_unix(path: &CStr) -> Result<OwnedFd, Errno> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(fd.as_raw_fd(), &address)?;
    fcntl(&fd, FcntlArg::F_SETFL(OFlag::empty()))?;
    Ok(fd)
}

/// One namespace of a process (`namespaces(7)`), or `None` if this process is in it already.
///
/// # Errors
/// `ENOENT` if there is no such process, or no such namespace in this kernel; `EACCES` without the right to look at the
/// process (`PTRACE_MODE_READ_FSCREDS`, `ptrace(2)`).
///
/// ```
/// use linx_sys::{child::Namespace, fd::open_namespace};
/// let own = open_namespace(std::process::id() as i32, Namespace::Net)?;
/// assert!(own.is_none());
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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

/// A descriptor, not blocking, that becomes readable when one of the signals that end a program is pending: SIGTERM, SIGINT, SIGHUP,
/// SIGQUIT. They must be blocked, as they are after [`crate::process::prepare_process`]. `signalfd(2)`.
///
/// # Errors
/// `EMFILE` or `ENFILE` when there is no descriptor left.
///
/// ```
/// linx_sys::process::prepare_process()?;
/// let signals = linx_sys::fd::signal_fd()?;
/// assert!(signals.read_signal()?.is_none());
/// nix::sys::signal::raise(nix::sys::signal::SIGTERM)?;
/// assert_eq!(signals.read_signal()?.map(|signal| signal.ssi_signo), Some(15));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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
///
/// # Errors
/// `ENOTTY` for a descriptor that does not count them.
///
/// ```
/// use linx_sys::fd::{pipe, readable_bytes, write};
/// let (from, to) = pipe()?;
/// write(&to, &[std::io::IoSlice::new(b"hello")])?;
/// assert_eq!(readable_bytes(&from), Ok(5));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn readable_bytes(fd: impl AsFd) -> Result<usize, Errno> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD stores one int.
    Errno::result(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::FIONREAD, &mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// `readv(2)` into `buffer`: how many bytes came; 0 is the end of file. `EINTR` is tried again.
///
/// # Errors
/// `EAGAIN` where nothing is there and the descriptor does not wait; `EIO` from a terminal's master whose slave is closed; the others
/// of `read(2)`.
///
/// ```
/// let (from, to) = linx_sys::fd::pipe()?;
/// drop(to);
/// assert_eq!(linx_sys::fd::read(&from, &mut [0; 16]), Ok(0));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    again(|| readv(&fd, &mut [IoSliceMut::new(buffer)]))
}

/// `writev(2)`: one buffer after another, as far as they go, and how many bytes that was. `EINTR` is tried again.
///
/// # Errors
/// `EAGAIN` where there is no room and the descriptor does not wait; `EPIPE` (and SIGPIPE) when nobody reads any more; `EINVAL` for more than 1024
/// buffers; the others of `write(2)`.
///
/// ```
/// use std::io::IoSlice;
/// let (from, to) = linx_sys::fd::pipe()?;
/// let mut got = [0; 5];
/// linx_sys::fd::write(&to, &[IoSlice::new(b"hel"), IoSlice::new(b"lo")])?;
/// assert_eq!((linx_sys::fd::read(&from, &mut got), &got), (Ok(5), b"hello"));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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

/// Takes ownership of a descriptor that this process was started with, and makes it close-on-exec (`F_SETFD` in `fcntl(2)`).
///
/// Each number may be claimed once, before anything else could have made a descriptor of that number.
///
/// # Errors
/// `EBADF` for a number that is not open, or is not below 64; `EBUSY` for a second claim.
///
/// ```
/// use std::os::fd::AsRawFd;
/// let standard_input = linx_sys::fd::claim(0)?;
/// assert_eq!(standard_input.as_raw_fd(), 0);
/// assert_eq!(linx_sys::fd::claim(0).map(drop), Err(nix::errno::Errno::EBUSY));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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
/// their numbers: `open(2)` gives the lowest that is free.
///
/// # Errors
/// Those of opening `/dev/null`.
///
/// ```
/// linx_sys::fd::fill_standard()?;
/// assert!((0..=2).all(|fd| std::fs::exists(format!("/proc/self/fd/{fd}")).is_ok_and(|open| open)));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
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
///
/// ```
/// use linx_sys::fd::{pipe, EpollEvent, EpollFlags, Poller};
/// let (poller, (from, to)) = (Poller::new()?, pipe()?);
/// poller.watch(&from, EpollFlags::EPOLLIN, 7)?;
/// drop(to);
/// let mut events = [EpollEvent::empty(); 4];
/// assert_eq!(poller.wait(&mut events, None)?, 1);
/// assert_eq!((events[0].data(), events[0].events()), (7, EpollFlags::EPOLLHUP));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub struct Poller(nix::sys::epoll::Epoll);

/// What a descriptor is watched for, and was found to be.
pub use nix::sys::epoll::{EpollEvent, EpollFlags};

impl Poller {
    /// `epoll_create1(2)`: a poller that watches nothing.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when there is no descriptor left.
    ///
    /// ```
    /// use linx_sys::fd::{EpollEvent, Poller};
    /// assert_eq!(Poller::new()?.wait(&mut [EpollEvent::empty()], Some(0)), Ok(0));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn new() -> Result<Self, Errno> {
        use nix::sys::epoll::{Epoll, EpollCreateFlags};
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map(Poller)
    }

    /// `epoll_ctl(2)`: starts watching `fd`; events carry `token`.
    ///
    /// # Errors
    /// `EEXIST` if it is watched already, `EPERM` for what cannot be waited for (a regular file), `ENOSPC` beyond
    /// `/proc/sys/fs/epoll/max_user_watches`.
    ///
    /// ```
    /// use linx_sys::fd::{EpollFlags, Poller};
    /// let file = std::fs::File::open("/etc/passwd")?;
    /// let refused = Poller::new()?.watch(&file, EpollFlags::EPOLLIN, 0);
    /// assert_eq!(refused, Err(nix::errno::Errno::EPERM));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn watch(&self, fd: impl AsFd, flags: EpollFlags, token: u64) -> Result<(), Errno> {
        self.0.add(fd, EpollEvent::new(flags, token))
    }

    /// `epoll_ctl(2)`: changes what `fd` is watched for, and the token.
    ///
    /// # Errors
    /// `ENOENT` if it is not watched.
    ///
    /// ```
    /// use linx_sys::fd::{pipe, EpollEvent, EpollFlags, Poller};
    /// let (poller, (_from, to)) = (Poller::new()?, pipe()?);
    /// poller.watch(&to, EpollFlags::EPOLLOUT, 1)?;
    /// poller.change(&to, EpollFlags::empty(), 1)?;
    /// assert_eq!(poller.wait(&mut [EpollEvent::empty()], Some(0)), Ok(0));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn change(&self, fd: impl AsFd, flags: EpollFlags, token: u64) -> Result<(), Errno> {
        self.0.modify(fd, &mut EpollEvent::new(flags, token))
    }

    /// `epoll_ctl(2)`: stops watching `fd`.
    ///
    /// # Errors
    /// `ENOENT` if it is not watched.
    ///
    /// ```
    /// use linx_sys::fd::{pipe, EpollFlags, Poller};
    /// let (poller, (from, _to)) = (Poller::new()?, pipe()?);
    /// poller.watch(&from, EpollFlags::EPOLLIN, 1)?;
    /// poller.forget(&from)?;
    /// assert_eq!(poller.forget(&from), Err(nix::errno::Errno::ENOENT));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn forget(&self, fd: impl AsFd) -> Result<(), Errno> {
        self.0.delete(fd)
    }

    /// `epoll_wait(2)`: waits until something happens, at most `millis` milliseconds (for ever if `None`), and puts the events into
    /// `events`, as many as there is room for. How many those are; 0 when the time is over.
    ///
    /// # Errors
    /// `EINVAL` if there is no room for a single event.
    ///
    /// ```
    /// use linx_sys::fd::{EpollEvent, Poller};
    /// let poller = Poller::new()?;
    /// assert_eq!(poller.wait(&mut [EpollEvent::empty()], Some(1)), Ok(0));
    /// assert_eq!(poller.wait(&mut [], Some(1)), Err(nix::errno::Errno::EINVAL));
    /// # Ok::<(), nix::errno::Errno>(())
    /// ```
    pub fn wait(&self, events: &mut [EpollEvent], millis: Option<u16>) -> Result<usize, Errno> {
        use nix::sys::epoll::EpollTimeout;
        let timeout = millis.map_or(EpollTimeout::NONE, EpollTimeout::from);
        again(|| self.0.wait(events, timeout))
    }
}
