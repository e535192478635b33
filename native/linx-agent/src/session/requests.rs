//! What the client asks of a session.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use linx_sys::child::{Order, Stage};
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
        if matches!(self.phase, Phase::Starting | Phase::Parked) && !self.aborted {
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
        self.catch_up(host);
        self.discard(host);
        Ok(())
    }

    /// Ends a child that has not been let go. One that lets itself go at its checkpoint decides by itself whether this was in
    /// time, and is killed only if it cannot have been there.
    fn discard(&mut self, host: &mut Host) {
        if !matches!(self.phase, Phase::Starting | Phase::Parked) {
            return;
        }
        if let (true, Some(child)) = (self.auto_proceed, &self.child) {
            child.dismiss();
            self.on_control(host);
        }
        self.aborted = true;
        if matches!(self.phase, Phase::Starting | Phase::Parked) {
            self.kill(SIGKILL);
        }
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
        self.catch_up(host);
        self.discard(host);
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
        self.catch_up(host);
        self.discard(host);
        if matches!(self.phase, Phase::Ended(_)) {
            return self.drain(host);
        }
        self.streams.resume(host, self.key);
        if let OrphanPolicy::Kill(grace) = self.orphan {
            let _ = self.stop(host, grace);
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

    /// A child that is not to park may have told already that it is on its way.
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
