//! What the client asks of a session.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use linx_sys::child::{Child, Order, Stage};
use linx_sys::fd::EpollFlags;
use linx_sys::process;
use linx_sys::tree::signal_tree;
use nix::errno::Errno;
use nix::libc::{SIGCONT, SIGKILL, SIGTERM};

use super::{Life, Phase, Session};
use crate::host::{Host, Kind, Token};
use crate::timers::Action;
use crate::verbs;
use crate::wire::{OrphanPolicy, Reason, Verb};

impl Session {
    pub fn verb(&mut self, host: &mut Host, verb: Verb<'_>) -> Result<(), Reason> {
        self.parked()?;
        let (stage, steps) =
            verbs::steps(verb, &mut self.bounding).map_err(|_| Reason::BadArgument)?;
        for step in steps {
            self.send(host, &Order::Step(step, stage));
        }
        Ok(())
    }

    /// A frame for it could not be obeyed. A child that has not run yet is discarded, so that none runs
    /// with more than was asked for.
    pub fn on_refused_frame(&mut self) {
        if !self.aborted && self.withdraw() {
            // What failed before is the reason, and what follows it only comes too late.
            self.failed.get_or_insert((Errno::EINVAL, Stage::Protocol));
            self.kill(SIGKILL);
        }
    }

    pub fn proceed(&mut self, host: &mut Host) -> Result<(), Reason> {
        self.parked()?;
        self.phase = Phase::Proceeding;
        self.send(host, &Order::Proceed);
        Ok(())
    }

    /// Discards the child if it has not left the checkpoint.
    pub fn abort(&mut self, host: &mut Host) -> Result<(), Reason> {
        if self.withdraw() {
            self.discard();
        } else {
            self.catch_up(host);
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.aborted = true;
        self.kill(SIGKILL);
    }

    pub fn signal(&mut self, number: i32) -> Result<(), Reason> {
        match (&self.phase, &self.pidfd) {
            (Phase::Running, Some(pidfd)) => {
                // Refused only if the process is gone, which its terminal event will tell.
                let _ = process::signal(pidfd.as_fd(), number);
                Ok(())
            }
            (Phase::Running, None) => {
                self.kill_alone(number);
                Ok(())
            }
            _ => Err(Reason::NotRunning),
        }
    }

    /// Ends the session: at once while it is parked, else with time to clean up.
    pub fn stop(&mut self, host: &mut Host, grace: Duration) -> Result<(), Reason> {
        if self.withdraw() {
            self.discard();
            return Ok(());
        }
        self.catch_up(host);
        if matches!(self.phase, Phase::Proceeding | Phase::Running) {
            self.signal_all(host, SIGTERM);
            self.signal_all(host, SIGCONT);
            let deadline = Instant::now() + grace;
            // One timer does, however often it is asked for.
            if self.deadline.is_none_or(|earlier| deadline < earlier) {
                self.deadline = Some(deadline);
                host.timers.add(grace, Action::Kill(self.key));
            }
        }
        Ok(())
    }

    /// Nobody listens any more.
    pub fn orphan(&mut self, host: &mut Host) -> Life {
        self.listening = false;
        if self.withdraw() {
            self.discard();
            return Life::Goes;
        }
        self.catch_up(host);
        match (self.phase, self.orphan) {
            (Phase::Ended(_), _) => return self.drain(host),
            (_, OrphanPolicy::Linger) => self.streams.resume(host, self.key),
            (_, OrphanPolicy::Kill(grace)) => {
                self.streams.resume(host, self.key);
                let _ = self.stop(host, grace);
            }
        }
        Life::Goes
    }

    /// The grace period of a stop is over.
    pub fn kill_now(&mut self, host: &mut Host) {
        if matches!(self.phase, Phase::Ended(_)) {
            return;
        }
        self.signal_all(host, SIGKILL);
        if self.kill_tree {
            // In one act, where what multiplies could escape a walk.
            self.kill(SIGKILL);
        }
    }

    pub fn write(&mut self, host: &mut Host, bytes: &[u8]) -> Result<(), Reason> {
        self.executing()?;
        if self.streams.input.is_none() {
            return Err(if self.streams.terminal {
                Reason::NoPty
            } else {
                Reason::NoStdin
            });
        }
        self.streams.write(host, self.key, self.listener(), bytes);
        Ok(())
    }

    pub fn close_stdin(&mut self, host: &mut Host) -> Result<(), Reason> {
        self.executing()?;
        if !self.streams.has_stdin() {
            return Err(Reason::NoStdin);
        }
        self.streams.close_input(host, self.key, self.listener());
        Ok(())
    }

    pub fn resize(&mut self, size: linx_sys::fd::Size) -> Result<(), Reason> {
        self.streams.resize(size).map_err(|_| Reason::NoPty)
    }

    pub fn ack(&mut self, host: &mut Host, bytes: u64) -> Life {
        self.streams.credit = self.streams.credit.saturating_add(bytes);
        self.on_cleared(host)
    }

    pub fn sync(&mut self, host: &mut Host) -> Result<(), Reason> {
        self.parked()?;
        self.send(host, &Order::Sync);
        Ok(())
    }

    /// Sees to it that the child will not exec, if it is not on its way yet.
    fn withdraw(&self) -> bool {
        match self.phase {
            Phase::Starting => self.child.as_ref().is_none_or(Child::withdraw),
            Phase::Parked => true,
            _ => false,
        }
    }

    /// A child that execs by itself may be further than it has told.
    pub(super) fn catch_up(&mut self, host: &mut Host) {
        if self.phase == Phase::Starting {
            self.on_control(host);
        }
    }

    pub(super) fn parked(&self) -> Result<(), Reason> {
        let doomed = self.aborted || self.failed.is_some();
        if self.phase == Phase::Parked && !doomed {
            Ok(())
        } else {
            Err(Reason::NotParked)
        }
    }

    pub(super) fn executing(&self) -> Result<(), Reason> {
        let executing = matches!(self.phase, Phase::Proceeding | Phase::Running);
        if executing {
            Ok(())
        } else {
            Err(Reason::NotRunning)
        }
    }

    pub(super) fn send(&mut self, host: &mut Host, order: &Order) {
        let Some(child) = &mut self.child else { return };
        // A child that cannot be told any more is gone, and its end is noticed elsewhere.
        if let Ok(false) = child.send(order) {
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
            let token = Token::new(self.key, Kind::Control).number();
            let _ = host.poller.change(child.control(), flags, token);
        }
    }

    /// To the whole process group. The child is not reaped, so the number is still its own.
    pub(super) fn kill(&self, number: i32) {
        if !matches!(self.phase, Phase::Ended(_)) {
            let _ = process::signal_group(self.pid, number);
        }
    }

    /// To the workload, and to everything below it if that is to end with it.
    pub(super) fn signal_all(&self, host: &mut Host, number: i32) {
        if self.kill_tree {
            signal_tree(host.snapshot(), self.pid, number);
        } else {
            self.kill_alone(number);
        }
    }

    pub(super) fn kill_alone(&self, number: i32) {
        if let Ok(pidfd) = process::pidfd_open(self.pid) {
            let _ = process::signal(pidfd.as_fd(), number);
        }
    }
}
