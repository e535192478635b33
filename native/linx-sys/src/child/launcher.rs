//! Starting children, and taking back what they were lent.

use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{socketpair, AddressFamily, SockFlag, SockType};

use super::memory::Slab;
use super::plan::{Image, Plan, Table};
use super::slots::{Loan, Slots};
use super::{interpreter, Child, Launch};

/// `linux/sched.h`; libc's constant is of a type too small for it.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// How long to wait for a bank of descriptors before a child is started without.
const BANK_TRIES: u32 = 400;
const BANK_PAUSE: Duration = Duration::from_micros(50);

/// From about so many children on, a copy of the descriptor table costs more than a bank.
const MANY: usize = 256;

/// Idle memory kept for the next children.
const SPARE_SLABS: usize = 64;

/// Starts children. The process that has one must be single-threaded, have every signal blocked and no
/// signal handler; `prepare_process` in this crate brings that about and hands out the proof.
pub struct Launcher {
    launch: Launch,
    slots: Slots,
    spare: Vec<Slab>,
    _quiet: crate::process::Quiet,
}

impl Launcher {
    /// Reserves what children will need: descriptors 16 to 79.
    ///
    /// # Errors
    /// `EBUSY` if one of these is not free, `EBADF` if so many are not allowed (`RLIMIT_NOFILE`, `dup(2)`).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let launcher = launcher()?;
    /// assert!(std::fs::exists("/proc/self/fd/79").is_ok_and(|taken| taken));
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(launch: Launch, quiet: crate::process::Quiet) -> Result<Self, Errno> {
        Ok(Launcher {
            launch,
            slots: Slots::reserve()?,
            spare: Vec::new(),
            _quiet: quiet,
        })
    }

    /// Starts a child (`clone3` in `clone(2)`); it runs on by itself to the checkpoint. Returns it with its pidfd.
    ///
    /// `others` is how many more of its kind the caller keeps descriptors of. Where they are few, a copy of the descriptor
    /// table costs less than to lend a bank and be told that it is free again.
    ///
    /// # Errors
    /// `EAGAIN` when there may be no more processes, `ENOMEM`, `EMFILE`; `EPERM` without the right to a fresh namespace. What
    /// the child itself is refused comes as [`super::Report::Failed`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// assert_eq!(next(&mut child), Ok(Report::Ready(child.pid())));
    /// # Ok(())
    /// # }
    /// ```
    pub fn launch(&mut self, plan: Plan, others: usize) -> Result<(Child, OwnedFd), Errno> {
        let close = SockFlag::SOCK_CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, close)?;
        let share = self.launch == Launch::Clone && plan.may_share_memory();
        let loan = if share && others >= MANY {
            self.lend_bank()
        } else {
            None
        };
        let started = self.start(plan, &theirs, share, loan);
        if let (Err(_), Some(loan)) = (&started, loan) {
            self.slots.end(loan);
        }
        let (pid, pidfd, image) = started?;
        let child = Child {
            pid,
            control: ours,
            image: Some(image),
            hung_up: false,
            loan,
            unsent: Vec::new(),
            ready: false,
            held: None,
        };
        Ok((child, pidfd))
    }

    /// A bank, waited for a little: the children that have them all need some microseconds of a processor
    /// to be done with one. A copy of the table, the way out, costs far more where many descriptors are open.
    fn lend_bank(&mut self) -> Option<Loan> {
        for _ in 0..BANK_TRIES {
            if let Some(loan) = self.slots.lend() {
                return Some(loan);
            }
            std::thread::sleep(BANK_PAUSE);
        }
        None
    }

    fn start(
        &mut self,
        plan: Plan,
        control: &OwnedFd,
        share: bool,
        loan: Option<Loan>,
    ) -> Result<(i32, OwnedFd, Image), Errno> {
        let slab = self.spare.pop().map_or_else(Slab::new, Ok)?;
        let fresh = plan.clone_flags();
        let table = match loan {
            Some(loan) => Table::Shared(&mut self.slots, loan),
            None => Table::Copied,
        };
        let mut image = Image::new(plan, control, table, slab, share)?;
        let mut pidfd: libc::c_int = -1;
        let mut args = clone_args(fresh, &mut pidfd);
        if share {
            args.flags |= libc::CLONE_VM as u64;
            (args.stack, args.stack_size) = image.slab.stack();
        }
        if loan.is_some() {
            args.flags |= libc::CLONE_FILES as u64;
        }
        // SAFETY: the stack is the slab's, used by nobody else; the image is kept (or leaked) by
        // `Child` until the child has let go of it; `child_main` does not return. This process is
        // single-threaded and without handlers (`Quiet`), so a copy of it is consistent too.
        let pid =
            unsafe { crate::raw::clone_into(&args, interpreter::child_main, &mut *image.block) };
        if pid < 0 {
            return Err(Errno::from_raw(-pid as i32));
        }
        image.close_sources();
        // SAFETY: clone3 succeeded, so the kernel has stored a new descriptor of ours.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok((pid as i32, pidfd, image))
    }

    /// Closes the parent's copies of descriptors lent to children that have them by now (`CLOSE_RANGE_UNSHARE` in
    /// `close_range(2)`). To be called when a child has reported for the first time.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 256)?;
    /// next(&mut child)?;
    /// launcher.settle();
    /// # Ok(())
    /// # }
    /// ```
    pub fn settle(&mut self) {
        self.slots.take_back();
    }

    /// To be called when the child is thought to be gone: makes sure that it is, and closes what was lent to it. The child
    /// is not reaped by that ([`crate::process::peek_end`], `waitid(2)`).
    ///
    /// # Errors
    /// `ECHILD` if it has been reaped before.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, pidfd) = launcher.launch(plan(false), 0)?;
    /// linx_sys::process::signal(pidfd.as_fd(), 9)?;
    /// while next(&mut child)? != Report::HungUp {}
    /// launcher.gone(&mut child)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gone(&mut self, child: &mut Child) -> Result<(), Errno> {
        if crate::process::peek_end(child.pid)?.is_some() {
            // A process that can be reaped has let go of everything.
            child.hung_up = true;
            if let Some(loan) = child.loan {
                self.slots.end(loan);
            }
        }
        Ok(())
    }

    /// Takes back the memory of a child that has hung up, for the next one. That of any other is left to it, and leaks.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(true), 0)?;
    /// while next(&mut child)? != Report::HungUp {}
    /// launcher.recycle(child);
    /// # Ok(())
    /// # }
    /// ```
    pub fn recycle(&mut self, mut child: Child) {
        if child.hung_up && self.spare.len() < SPARE_SLABS {
            self.spare.extend(child.image.take().map(Image::into_slab));
        }
    }
}

fn clone_args(fresh: u64, pidfd: &mut libc::c_int) -> libc::clone_args {
    libc::clone_args {
        flags: fresh | libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND,
        pidfd: pidfd as *mut libc::c_int as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..interpreter::CLONE_NOTHING
    }
}
