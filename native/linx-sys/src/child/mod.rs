//! Starting a child and parking it before exec.
//!
//! The parent lays out a [`Plan`], clones, and talks to the parked child over a control socket. The child
//! (`interpreter`) is a tiny machine that executes operations with raw system calls. It shares the parent's memory
//! until exec unless told otherwise ([`Launch::Fork`]), which makes starting it as cheap as `vfork(2)`, and
//! neither suspends the parent nor depends on how much memory it has.
//!
//! What makes sharing sound: the child runs on a stack of its own, calls no libc, has no signal handler it
//! could run (the parent has none), and reads only what its `Image` holds. An image is freed or used again only after the
//! control socket has reached its end, which the kernel brings about after the child has let go of the memory:
//! at exec the new memory is in place before close-on-exec descriptors are closed (`begin_new_exec` in
//! `fs/exec.c`), at exit memory goes before descriptors do (`do_exit` in `kernel/exit.c`). A [`Child`] dropped
//! before that leaks its image.
//!
//! The descriptor table is a copy as long as there are few children beside it; where there are many, it is the parent's own at
//! first (`slots`). A child that does not wait at the checkpoint tells nothing of it: whether it execs or is taken
//! back is decided in the memory it shares (`fate`).
//!
//! The examples begin with `example.rs` beside this file: `launcher()` makes this process fit and a launcher, `plan(auto_proceed)`
//! runs `true`, and `next(child)` waits for the child's next report.

mod block;
mod calls;
mod fate;
mod interpreter;
mod launcher;
mod memory;
mod op;
mod plan;
mod powers;
mod slots;
mod stage;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{send, MsgFlags};

use fate::Fate;
pub use launcher::Launcher;
pub use op::Order;
use plan::Image;
pub use plan::{Plan, Source};
use slots::Loan;
pub use stage::{Namespace, Stage};

/// How children are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// Sharing the parent's memory, and where that is cheaper the descriptor table, at first.
    Clone,
    /// With copies of both, as `fork(2)` does.
    Fork,
}

/// What a child has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The child has forked once more: this pid carries on in its place.
    Forked(i32),
    /// Parked, or on its way to exec if it does not wait; the pid is as the child itself sees it.
    Ready(i32),
    /// A step failed with this errno; the child is leaving.
    Failed(Errno, Stage),
    /// Everything sent before [`Order::Sync`] has been applied, and these are the child's secure bits.
    Synced(i32),
    /// The child has exec'd or is gone.
    HungUp,
}

/// A child between clone and exec.
pub struct Child {
    pid: i32,
    control: OwnedFd,
    /// Present as long as this handle lives.
    image: Option<Image>,
    hung_up: bool,
    loan: Option<Loan>,
    unsent: Vec<u8>,
    /// It has been told that the child reached the checkpoint.
    ready: bool,
    /// Received, and to be told after that.
    held: Option<Report>,
}

impl Child {
    /// The pid, as this process sees it; another one after [`Report::Forked`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// let kin = linx_sys::process::kin(child.pid());
    /// assert_eq!(kin.map(|kin| kin.parent as u32), Some(std::process::id()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// A socket that becomes readable when the child has something to tell, and stays so from its exec or end on (`unix(7)`).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// let poller = Poller::new()?;
    /// poller.watch(child.control(), EpollFlags::EPOLLIN, 0)?;
    /// assert_eq!(poller.wait(&mut [EpollEvent::empty()], None), Ok(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Whether it waits at the checkpoint. One that execs by itself needs memory in common with its parent (`CLONE_VM`,
    /// `clone(2)`), and [`Plan::auto_proceed`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// assert!(launcher.launch(plan(false), 0)?.0.waits());
    /// assert!(!launcher.launch(plan(true), 0)?.0.waits());
    /// # Ok(())
    /// # }
    /// ```
    pub fn waits(&self) -> bool {
        self.fate().is_none()
    }

    /// Takes back the leave to exec that a child has which does not wait. `false` when it has made use of it. Who has been
    /// answered once is answered the same for ever.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(true), 0)?;
    /// let withdrawn = child.withdraw();
    /// let ran = next(&mut child)? == Report::Ready(child.pid()) && !child.withdraw();
    /// assert_eq!(ran, !withdrawn);
    /// # Ok(())
    /// # }
    /// ```
    pub fn withdraw(&self) -> bool {
        self.fate().is_none_or(Fate::withdraw)
    }

    fn fate(&self) -> Option<&Fate> {
        self.image.as_ref().and_then(Image::fate)
    }

    /// The next report, or `None` if there is none yet. After [`Report::HungUp`] there is no other.
    ///
    /// # Errors
    /// Those of `recv(2)`, save the ones that only say that there is nothing yet, or nothing more.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// assert_eq!(next(&mut child), Ok(Report::Ready(child.pid())));
    /// assert_eq!(child.receive(), Ok(None)); // It waits.
    /// # Ok(())
    /// # }
    /// ```
    pub fn receive(&mut self) -> Result<Option<Report>, Errno> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let report = self.read_report()?;
        let told = matches!(report, Some(Report::Ready(_)));
        if told || self.ready || !self.fate().is_some_and(Fate::is_committed) {
            self.ready |= told;
            return Ok(report);
        }
        self.ready = true;
        self.held = report;
        Ok(Some(Report::Ready(self.pid)))
    }

    fn read_report(&mut self) -> Result<Option<Report>, Errno> {
        let mut raw = op::Report {
            kind: 0,
            stage: 0,
            errno: 0,
            value: 0,
        };
        let size = op::Report::SIZE;
        let wait = libc::MSG_DONTWAIT;
        let got = loop {
            let to = std::ptr::addr_of_mut!(raw).cast();
            // SAFETY: a report is plain integers, for which any bytes are valid, and `size` long. Reports are
            // written whole, so a read never splits one.
            match Errno::result(unsafe { libc::recv(self.control.as_raw_fd(), to, size, wait) }) {
                Err(Errno::EINTR) => {}
                other => break other,
            }
        };
        match got {
            Err(Errno::EAGAIN) => Ok(None),
            Ok(0) | Err(Errno::ECONNRESET) => {
                self.hung_up = true;
                Ok(Some(Report::HungUp))
            }
            Ok(_) => Ok(Some(self.understand(raw))),
            Err(errno) => Err(errno),
        }
    }

    fn understand(&mut self, raw: op::Report) -> Report {
        match raw.kind {
            op::Report::FORKED => {
                self.pid = raw.value;
                Report::Forked(raw.value)
            }
            op::Report::READY => Report::Ready(raw.value),
            op::Report::SYNCED => Report::Synced(raw.value),
            _ => Report::Failed(Errno::from_raw(raw.errno), Stage::from_code(raw.stage)),
        }
    }

    /// Gives the parked child an order. `false` when some of it waits for [`Child::flush`].
    ///
    /// # Errors
    /// Those of `send(2)`: `EPIPE` from a child that is gone or has exec'd.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// assert_eq!(child.send(&Order::Step(Step::SetNoNewPrivs, Stage::NoNewPrivs)), Ok(true));
    /// assert_eq!(child.send(&Order::Proceed), Ok(true));
    /// while next(&mut child)? != Report::HungUp {}
    /// assert_eq!(child.send(&Order::Sync), Err(Errno::EPIPE));
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(&mut self, order: &Order) -> Result<bool, Errno> {
        self.unsent.extend_from_slice(&order.to_bytes());
        self.flush()
    }

    /// Whether orders wait for [`Child::flush`], since the socket has no room for them (`unix(7)`).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// while child.send(&Order::Sync)? {}
    /// assert!(child.has_unsent());
    /// # Ok(())
    /// # }
    /// ```
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what is waiting, as far as the socket takes it; `true` when nothing is left.
    ///
    /// # Errors
    /// As of [`Child::send`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/child/example.rs"));
    /// # fn main() -> Result<(), Errno> {
    /// let mut launcher = launcher()?;
    /// let (mut child, _pidfd) = launcher.launch(plan(false), 0)?;
    /// assert_eq!(child.flush(), Ok(true));
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush(&mut self) -> Result<bool, Errno> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        while !self.unsent.is_empty() {
            match send(self.control.as_raw_fd(), &self.unsent, flags) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
        Ok(true)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.hung_up {
            // The child may still be using it.
            std::mem::forget(self.image.take());
        }
    }
}
