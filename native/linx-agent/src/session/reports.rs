//! What the child and the kernel tell of a session.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linx_sys::child::{Child, Report};
use linx_sys::fd::EpollFlags;
use linx_sys::process::{self, End};
use nix::errno::Errno;
use nix::libc::SIGKILL;

use super::{Life, Phase, Session, CHECK, DEFAULT_GRACE};
use crate::host::{Host, Kind, Token};
use crate::timers::Action;
use crate::wire::{Event, OrphanPolicy};

impl Session {
    pub(super) fn on_control(&mut self, host: &mut Host) {
        while let Some(child) = &mut self.child {
            match child.receive() {
                Ok(Some(Report::HungUp)) => self.on_hang_up(host),
                Ok(Some(report)) => self.on_report(host, report),
                Ok(None) | Err(_) => break,
            }
        }
        if let Some(child) = self.child.as_mut().filter(|child| child.has_unsent()) {
            if let Ok(true) = child.flush() {
                let token = Token::new(self.key, Kind::Control).number();
                let _ = host
                    .poller
                    .change(child.control(), EpollFlags::EPOLLIN, token);
            }
        }
    }

    pub(super) fn on_report(&mut self, host: &mut Host, report: Report) {
        host.launcher.settle();
        match report {
            Report::Forked(pid) => {
                let first = std::mem::replace(&mut self.pid, pid);
                if let Some(pidfd) = self.pidfd.take() {
                    host.forget(&pidfd);
                    let token = Token::new(self.key, Kind::Intermediate);
                    let _ = host.watch(&pidfd, EpollFlags::EPOLLIN, token);
                    self.intermediate = Some((first, pidfd));
                }
                self.watch_process(host, process::pidfd_open(pid));
                self.kill_if_aborted();
            }
            Report::Ready(child_pid) => self.on_ready(host, child_pid),
            Report::Failed(errno, stage) => self.failed = Some((errno, stage)),
            Report::Synced(securebits) => {
                let id = self.id;
                self.tell(host, Event::Synced { id, securebits });
            }
            Report::HungUp => {}
        }
    }

    pub(super) fn on_ready(&mut self, host: &mut Host, child_pid: i32) {
        // A look at all processes from before it led a session of its own would not find it.
        host.seen = None;
        self.phase = Phase::Parked;
        if !self.aborted {
            let (id, host_pid) = (self.id, self.pid);
            self.tell(
                host,
                Event::Ready {
                    id,
                    host_pid,
                    child_pid,
                },
            );
        }
        if self.auto_proceed {
            self.proceed_by_itself(host);
        } else if let Some(pidfd) = self.pidfd.take() {
            // The socket alone tells of a parked child's end: one descriptor each is enough.
            host.close(pidfd);
        }
    }

    /// Nobody will ask for it: the child is on its way already, or is let go now.
    fn proceed_by_itself(&mut self, host: &mut Host) {
        if self.child.as_ref().is_some_and(Child::waits) {
            // Refused only if it is about to be killed.
            let _ = self.proceed(host);
        } else {
            self.phase = Phase::Proceeding;
        }
    }

    /// An abort may have hit the process that the child has just left behind.
    pub(super) fn kill_if_aborted(&self) {
        if self.aborted || self.failed.is_some() {
            self.kill(SIGKILL);
        }
    }

    /// The control socket has reached its end: exec, or death.
    pub(super) fn on_hang_up(&mut self, host: &mut Host) {
        if let Some(child) = self.child.take() {
            host.forget(child.control());
            host.launcher.recycle(child);
        }
        if self.pidfd.is_none() {
            self.watch_process(host, process::pidfd_open(self.pid));
        }
        let proceeding = self.phase == Phase::Proceeding && self.failed.is_none();
        if proceeding && !process::is_exiting(self.pid) {
            self.run(host);
        }
    }

    pub(super) fn run(&mut self, host: &mut Host) {
        self.phase = Phase::Running;
        self.tell(host, Event::Running { id: self.id });
        self.streams.open(host, self.key);
    }

    pub(super) fn on_process(&mut self, host: &mut Host) -> Life {
        if matches!(self.phase, Phase::Ended(_)) {
            return self.drain(host);
        }
        if let Some(child) = &mut self.child {
            let _ = host.launcher.gone(child);
            self.on_control(host);
        }
        let end = match process::peek_end(self.pid) {
            Ok(Some(end)) => end,
            Ok(None) => return Life::Goes,
            // Not to be waited for: then there is nothing to reap either.
            Err(_) => End::Signaled(SIGKILL),
        };
        if self.phase == Phase::Proceeding && self.failed.is_none() && self.has_run(end) {
            self.run(host);
        }
        self.on_end(host, end)
    }

    /// Whether a process that ended right after it was let go did so in its own program. One that exits before has told why.
    pub(super) fn has_run(&self, end: End) -> bool {
        matches!(end, End::Exited(_)) || process::has_execed(self.pid)
    }

    pub(super) fn on_end(&mut self, host: &mut Host, end: End) -> Life {
        if let Some(child) = self.child.take() {
            host.forget(child.control());
            host.launcher.recycle(child);
        }
        let _ = process::reap(self.pid);
        self.reap_intermediate(host);
        if let Some(pidfd) = self.pidfd.take() {
            host.close(pidfd);
        }
        let ran = self.phase == Phase::Running;
        self.phase = Phase::Ended(end);
        if !self.kill_tree {
            host.strays.lenient_ended();
        }
        if !ran {
            self.streams.end_input(host);
            return self.finish(host, end, false);
        }
        if self.kill_tree {
            host.strays.doom_those_of(self.pid, self.grace_left());
        }
        self.streams.finish(host, self.key);
        self.drain(host)
    }

    /// What its descendants are granted once the workload itself is gone.
    pub(super) fn grace_left(&self) -> Duration {
        match (self.deadline, self.orphan) {
            (Some(deadline), _) => deadline.saturating_duration_since(Instant::now()),
            (None, OrphanPolicy::Kill(grace)) => grace,
            (None, OrphanPolicy::Linger) => DEFAULT_GRACE,
        }
    }

    pub(super) fn drain(&mut self, host: &mut Host) -> Life {
        let Phase::Ended(end) = self.phase else {
            return Life::Goes;
        };
        if self.streams.drain(host, self.key, self.listener()) {
            self.finish(host, end, true)
        } else {
            Life::Goes
        }
    }

    pub(super) fn finish(&mut self, host: &mut Host, end: End, ran: bool) -> Life {
        let id = self.id;
        let event = match (self.failed, end) {
            (Some((errno, stage)), _) if !ran => Event::Error {
                id,
                errno: errno as i32,
                stage: stage.name(),
            },
            _ if self.aborted && !ran => Event::Aborted { id },
            (_, End::Exited(code)) => Event::Exited { id, code },
            (_, End::Signaled(signal)) => Event::Signaled { id, signal },
        };
        self.tell(host, event);
        Life::Over
    }

    pub(super) fn reap_intermediate(&mut self, host: &Host) {
        if let Some((pid, pidfd)) = self.intermediate.take() {
            match process::reap(pid) {
                Ok(None) => self.intermediate = Some((pid, pidfd)),
                _ => host.close(pidfd),
            }
        }
    }

    pub(super) fn watch_control(&mut self, host: &mut Host) {
        let token = Token::new(self.key, Kind::Control);
        if let Some(child) = &self.child {
            let _ = host.watch(child.control(), EpollFlags::EPOLLIN, token);
        }
    }

    /// Has the end of the process noticed: by its descriptor or, where there is none left, by looking.
    pub(super) fn watch_process(&mut self, host: &mut Host, pidfd: Result<OwnedFd, Errno>) {
        let token = Token::new(self.key, Kind::Process);
        let watched = pidfd.and_then(|fd| host.watch(&fd, EpollFlags::EPOLLIN, token).map(|_| fd));
        match watched {
            Ok(pidfd) => self.pidfd = Some(pidfd),
            Err(_) => host.timers.add(CHECK, Action::CheckEnd(self.key)),
        }
    }

    /// Looks whether a process that could not be watched has ended.
    pub fn check_end(&mut self, host: &mut Host) -> Life {
        if self.pidfd.is_none() && !matches!(self.phase, Phase::Parked | Phase::Ended(_)) {
            self.watch_process(host, process::pidfd_open(self.pid));
        }
        self.on_process(host)
    }
}
