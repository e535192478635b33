//! This process, and others by pid or pidfd.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use linx_caps::set::Caps;
use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::wait::WaitPidFlag;
use nix::time::{clock_gettime, ClockId};

/// The proof that this process has one thread, every signal blocked and no handler of its own: what is
/// needed for starting children that share its memory. Stays in the thread that got it.
#[derive(Clone)]
pub struct Quiet {
    _not_send: PhantomData<*const ()>,
}

/// Makes this process fit for starting children: blocks every signal (`sigprocmask(2)`), resets every disposition
/// (`sigaction(2)`), makes it non-dumpable (no core files, no ptrace by its own user; `PR_SET_DUMPABLE`, `prctl(2)`).
///
/// A process that does this learns of signals by [`crate::fd::signal_fd`] alone.
///
/// # Errors
/// `EBUSY` if it has more than one thread, `ENOSYS` if procfs does not tell.
///
/// ```
/// linx_sys::process::prepare_process()?;
/// let status = std::fs::read_to_string("/proc/self/status")?;
/// assert!(status.contains("\nSigBlk:\tffff")); // save SIGKILL and SIGSTOP
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn prepare_process() -> Result<Quiet, Errno> {
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|_| Errno::ENOSYS)?
        .count();
    if threads != 1 {
        return Err(Errno::EBUSY);
    }
    SigSet::all().thread_block()?;
    reset_dispositions();
    prctl(libc::PR_SET_DUMPABLE, 0)?;
    Ok(Quiet {
        _not_send: PhantomData,
    })
}

/// Gives every signal its default disposition. By the bare system call: libc keeps signals 32 and 33 to
/// itself, and a parent (make, for one) may have left them ignored.
fn reset_dispositions() {
    const SIGNALS: usize = 64;
    // `struct sigaction` as the kernel has it: all zero is SIG_DFL, no flags, no mask, on every architecture.
    let default = [0u64; 4];
    for number in 1..=SIGNALS {
        let args = [number, default.as_ptr() as usize, 0, size_of::<u64>(), 0, 0];
        // SAFETY: the kernel reads one sigaction, no larger than `default`. SIG_DFL is no handler, so no code
        // of ours can run in signal context. SIGKILL and SIGSTOP are refused, which is as good.
        unsafe { crate::raw::syscall(libc::SYS_rt_sigaction, args) };
    }
}

/// `setsid(2)`: leaves the caller's process group and session, so that signals sent to those do not reach it. That it
/// leads a group already, and cannot, is as good.
///
/// ```
/// linx_sys::process::detach();
/// assert_eq!(nix::unistd::getpgrp(), nix::unistd::getpid());
/// ```
pub fn detach() {
    let _ = nix::unistd::setsid();
}

/// Raises the soft limit of descriptors to the hard one; returns the limit as it was, if that changed it (`RLIMIT_NOFILE`, `setrlimit(2)`).
///
/// # Errors
/// `EPERM` if the hard limit is above `/proc/sys/fs/nr_open`, to which it was set before that was lowered.
///
/// ```
/// use linx_sys::process::raise_file_limit;
/// raise_file_limit()?;
/// assert!(raise_file_limit()?.is_none());
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn raise_file_limit() -> Result<Option<libc::rlimit64>, Errno> {
    use nix::sys::resource::{getrlimit, setrlimit, Resource};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft == hard {
        return Ok(None);
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(Some(libc::rlimit64 {
        rlim_cur: soft,
        rlim_max: hard,
    }))
}

/// Gives this thread, and so the children it will have, these effective, permitted and inheritable sets
/// (`capset(2)`); the namespace owner is not asked. Whatever leaves them takes no privilege.
///
/// # Errors
/// `EPERM` if a capability is to become permitted that is not, or effective that will not be permitted, or inheritable that may not
/// (`cap_capset` in security/commoncap.c).
///
/// ```
/// use linx_caps::{set::Caps, CapSet};
/// use linx_sys::process::set_caps;
/// set_caps(Caps::new())?;
/// let again = Caps { permitted: CapSet::single(0), ..Caps::new() };
/// assert_eq!(set_caps(again), Err(nix::errno::Errno::EPERM));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn set_caps(sets: Caps) -> Result<(), Errno> {
    match crate::caps::set(sets) {
        0.. => Ok(()),
        refused => Err(Errno::from_raw(refused.wrapping_neg() as i32)),
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

/// How the child of this pid ended, leaving it to be reaped; `None` while it lives. `waitid(2)` with `WNOWAIT`.
///
/// # Errors
/// `ECHILD` if this process has no such child.
///
/// ```
/// use linx_sys::process::{peek_end, reap, End};
/// let child = std::process::Command::new("false").spawn()?.id() as i32;
/// while peek_end(child)?.is_none() {
///     std::thread::yield_now();
/// }
/// assert_eq!(reap(child)?, Some(End::Exited(1)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn peek_end(pid: i32) -> Result<Option<End>, Errno> {
    wait(
        pid,
        WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
    )
}

/// Reaps a child that has ended, and says how; `None` while it lives. `waitid(2)`.
///
/// # Errors
/// `ECHILD` if this process has no such child, or has reaped it.
///
/// ```
/// use linx_sys::process::{reap, signal_group, End};
/// let child = std::process::Command::new("sleep").arg("60").spawn()?.id() as i32;
/// assert_eq!(reap(child)?, None);
/// signal_group(child, 9)?;
/// let end = loop {
///     if let Some(end) = reap(child)? {
///         break end;
///     }
/// };
/// assert_eq!(end, End::Signaled(9));
/// assert_eq!(reap(child), Err(nix::errno::Errno::ECHILD));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reap(pid: i32) -> Result<Option<End>, Errno> {
    wait(pid, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG)
}

fn wait(pid: i32, flags: WaitPidFlag) -> Result<Option<End>, Errno> {
    loop {
        // Not nix's: it knows no real-time signals, by which a child may end as well.
        // SAFETY: siginfo_t is plain data that the kernel fills in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is ours; the rest are numbers.
        let result =
            unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, flags.bits()) };
        match Errno::result(result) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(ended(&info)),
        }
    }
}

fn ended(info: &libc::siginfo_t) -> Option<End> {
    // SAFETY: the fields that waitid fills in; si_pid is 0 where there was nothing to tell.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    match (pid, info.si_code) {
        (0, _) => None,
        (_, libc::CLD_EXITED) => Some(End::Exited(status)),
        _ => Some(End::Signaled(status)),
    }
}

/// A descriptor for a process that this one has not reaped, or of any other; readable once it has ended. `pidfd_open(2)`.
///
/// # Errors
/// `ESRCH` if there is no such process, `EINVAL` for a pid that is not positive, `EMFILE` when there is no descriptor left.
///
/// ```
/// use linx_sys::process::pidfd_open;
/// assert!(pidfd_open(std::process::id() as i32).is_ok());
/// assert_eq!(pidfd_open(0).map(drop), Err(nix::errno::Errno::EINVAL));
/// ```
pub fn pidfd_open(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: numbers only; the kernel makes it close-on-exec.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: a new descriptor, ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Signals the process behind a pidfd; `number` may be a real-time signal, or 0, which only asks. `pidfd_send_signal(2)`.
///
/// # Errors
/// `ESRCH` once the process is reaped, `EPERM` without the right to signal it (`kill(2)`), `EINVAL` for no number of a signal.
///
/// ```
/// use linx_sys::process::{pidfd_open, signal};
/// use std::os::fd::AsFd;
/// let own = pidfd_open(std::process::id() as i32)?;
/// assert_eq!(signal(own.as_fd(), 0), Ok(()));
/// assert_eq!(signal(own.as_fd(), 65), Err(nix::errno::Errno::EINVAL));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn signal(pidfd: BorrowedFd<'_>, number: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    let fd = pidfd.as_raw_fd();
    // SAFETY: without siginfo the kernel fills in that of kill(2).
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, none, 0) })
        .map(drop)
}

/// Signals the process group that the unreaped child `pid` leads, or the child alone while it leads none yet. `kill(2)`.
///
/// # Errors
/// `ESRCH` for a pid that is not above 1, or if it has been reaped; `EPERM` if none of the group may be signalled; `EINVAL` for no
/// number of a signal.
///
/// ```
/// use std::os::unix::process::{CommandExt, ExitStatusExt};
/// let mut child = std::process::Command::new("sleep").arg("60").process_group(0).spawn()?;
/// linx_sys::process::signal_group(child.id() as i32, 15)?;
/// assert_eq!(child.wait()?.signal(), Some(15));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn signal_group(pid: i32, number: i32) -> Result<(), Errno> {
    // -1 and 0 would name far more than a child's group.
    if pid <= 1 {
        return Err(Errno::ESRCH);
    }
    // SAFETY: kill takes numbers. An unreaped child's pid is nobody else's.
    match Errno::result(unsafe { libc::kill(-pid, number) }) {
        // SAFETY: as above.
        Err(Errno::ESRCH) => Errno::result(unsafe { libc::kill(pid, number) }).map(drop),
        other => other.map(drop),
    }
}

/// Whether a child whose close-on-exec descriptors have closed is on its way out rather than in a new program: a process
/// that exits has let go of its memory by then (`exit_mm` comes before `exit_files` in the kernel's kernel/exit.c), so that
/// `process_vm_readv(2)` finds none. One that executes is waited for until it has its new credentials
/// (`exec_update_lock`, `mm_access` in kernel/fork.c), so that they can be read from here on.
///
/// ```
/// let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn()?;
/// let pid = child.id() as i32;
/// assert!(!linx_sys::process::is_exiting(pid));
/// child.wait()?;
/// assert!(linx_sys::process::is_exiting(pid));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn is_exiting(pid: i32) -> bool {
    let mut byte = 0u8;
    let local = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let remote = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 1,
    };
    // SAFETY: at most one byte is written, into `byte`; address 0 of the other process is never
    // touched by this one. ESRCH: it has no memory any more. Anything else: it has.
    let result = unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) };
    Errno::result(result) == Err(Errno::ESRCH)
}

/// Whether an unreaped child, dead or alive, has ever called exec successfully (`PF_FORKNOEXEC` among the flags in
/// `/proc/PID/stat`, `proc_pid_stat(5)`; include/linux/sched.h). `false` if there is no such process.
///
/// ```
/// assert!(linx_sys::process::has_execed(std::process::id() as i32));
/// assert!(!linx_sys::process::has_execed(0));
/// ```
pub fn has_execed(pid: i32) -> bool {
    const PF_FORKNOEXEC: u64 = 0x40;
    let flags = stat_fields(pid).and_then(|fields| fields.get(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_FORKNOEXEC == 0)
}

/// Where a process stands among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kin {
    /// Its parent.
    pub parent: i32,
    /// The leader of its session.
    pub session: i32,
}

/// Where a process stands among others; `None` if it is gone. `/proc/PID/stat`, `proc_pid_stat(5)`.
///
/// ```
/// let own = linx_sys::process::kin(std::process::id() as i32);
/// assert_eq!(own.map(|kin| kin.parent as u32), Some(std::os::unix::process::parent_id()));
/// assert_eq!(linx_sys::process::kin(0), None);
/// ```
pub fn kin(pid: i32) -> Option<Kin> {
    let fields = stat_fields(pid)?;
    let number = |n: usize| fields.get(n)?.parse().ok();
    Some(Kin {
        parent: number(1)?,
        session: number(3)?,
    })
}

/// The time since boot, on the clock that says when processes started (`CLOCK_BOOTTIME`, `clock_gettime(2)`).
///
/// ```
/// use linx_sys::process::since_boot;
/// let earlier = since_boot();
/// assert!(!earlier.is_zero() && earlier <= since_boot());
/// ```
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Whether a process had started when that much time had passed since boot; `false` if there is none. It is known to a hundredth
/// of a second (`proc_pid_stat(5)`, whose clock ticks are that long).
///
/// ```
/// use linx_sys::process::{since_boot, started_by};
/// let own = std::process::id() as i32;
/// assert!(started_by(own, since_boot()));
/// assert!(!started_by(own, std::time::Duration::ZERO));
/// ```
pub fn started_by(pid: i32, moment: Duration) -> bool {
    const TICK: u64 = 10;
    let ticks = stat_fields(pid).and_then(|fields| fields.get(19)?.parse::<u64>().ok());
    ticks.is_some_and(|ticks| Duration::from_millis(ticks.saturating_mul(TICK)) <= moment)
}

/// The fields of `/proc/PID/stat` from the third on (the state); the name before them may hold anything.
fn stat_fields(pid: i32) -> Option<Vec<String>> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The secure bits of the calling thread (`PR_GET_SECUREBITS`, capabilities(7)).
///
/// # Errors
/// `EINVAL` from a kernel older than 2.6.26.
///
/// ```
/// use linx_caps::securebits::Securebits;
/// let bits = Securebits::from_bits(linx_sys::process::securebits()?);
/// assert!(Securebits::KNOWN.contains(bits));
/// # Ok::<(), nix::errno::Errno>(())
/// ```
pub fn securebits() -> Result<u32, Errno> {
    prctl(libc::PR_GET_SECUREBITS, 0).map(|bits| bits as u32)
}

/// One of the options of `prctl(2)` that take one number.
pub(crate) fn prctl(option: libc::c_int, argument: libc::c_ulong) -> Result<libc::c_int, Errno> {
    let none: libc::c_ulong = 0;
    // SAFETY: only called with options whose arguments are numbers; all are as wide as the kernel reads.
    Errno::result(unsafe { libc::prctl(option, argument, none, none, none) })
}
