//! One workload, from its clone to its terminal event.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use linx_sys::child::{Child, Order, Plan, Report, Stage};
use linx_sys::fd::EpollFlags;
use linx_sys::process::{self, End};
use linx_sys::tree::signal_tree;
use nix::errno::Errno;
use nix::libc::{SIGCONT, SIGKILL, SIGTERM};

use crate::host::{Host, Kind, Token};
use crate::startup::StartError;
use crate::streams::Streams;
use crate::timers::Action;
use crate::verbs;
use crate::wire::{Event, OrphanPolicy, Reason, Verb};

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Cloned; setting itself up.
    Starting,
    /// At the checkpoint.
    Parked,
    /// On its way to exec.
    Proceeding,
    /// In its own program.
    Running,
    /// Reaped; output may still be on its way.
    Ended(End),
}

/// Whether the agent still needs the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Goes,
    /// The terminal event is out; forget it.
    Over,
}

/// For the descendants of a workload without an orphan policy that tells.
const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// Between two looks at a process that could not be watched.
const CHECK: Duration = Duration::from_millis(5);

/// A session of the agent.
pub struct Session {
    key: u64,
    id: u64,
    listening: bool,
    phase: Phase,
    pid: i32,
    child: Option<Child>,
    pidfd: Option<OwnedFd>,
    /// A child that has forked the real one after joining its pid namespace.
    intermediate: Option<(i32, OwnedFd)>,
    auto_proceed: bool,
    bounding: u64,
    orphan: OrphanPolicy,
    kill_tree: bool,
    /// When a stop turns from SIGTERM to SIGKILL.
    deadline: Option<Instant>,
    failed: Option<(Errno, Stage)>,
    aborted: bool,
    streams: Streams,
}

/// What a session is started from.
pub struct Start {
    pub key: u64,
    pub id: u64,
    pub plan: Plan,
    pub streams: Streams,
    pub bounding: u64,
    pub orphan: OrphanPolicy,
    pub kill_tree: bool,
}

impl Session {
    /// Clones the child.
    pub fn start(host: &mut Host, start: Start) -> Result<Session, StartError> {
        let Start {
            key,
            id,
            plan,
            streams,
            bounding,
            orphan,
            kill_tree,
        } = start;
        let failed = |errno| StartError {
            stage: Stage::Clone,
            errno,
        };
        let auto_proceed = plan.auto_proceed;
        let (child, pidfd) = host.launcher.launch(plan).map_err(failed)?;
        if !kill_tree {
            host.strays.lenient_started();
        }
        let mut session = Session {
            key,
            id,
            listening: true,
            phase: Phase::Starting,
            pid: child.pid(),
            child: Some(child),
            pidfd: None,
            intermediate: None,
            auto_proceed,
            bounding,
            orphan,
            kill_tree,
            deadline: None,
            failed: None,
            aborted: false,
            streams,
        };
        session.watch_control(host);
        session.watch_process(host, Ok(pidfd));
        Ok(session)
    }

    /// The pids that are its own: the child's, and that of one that forked it.
    pub fn pids(&self) -> impl Iterator<Item = i32> {
        let intermediate = self.intermediate.as_ref().map(|(pid, _)| *pid);
        [self.pid].into_iter().chain(intermediate)
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether the agent may end without it: its workload is to outlive the agent.
    pub fn may_outlive_agent(&self) -> bool {
        let running = matches!(self.phase, Phase::Running | Phase::Proceeding);
        running && self.orphan == OrphanPolicy::Linger
    }

    /// Something happened to one of its descriptors.
    pub fn on_event(&mut self, host: &mut Host, kind: Kind) -> Life {
        match kind {
            Kind::Control => self.on_control(host),
            Kind::Process => return self.on_process(host),
            Kind::Intermediate => self.reap_intermediate(),
            Kind::Input => self.streams.flush(host, self.key, self.listener()),
            Kind::Output(_) if matches!(self.phase, Phase::Ended(_)) => return self.drain(host),
            Kind::Output(i) => self.streams.take(host, self.key, i, self.listener()),
        }
        Life::Goes
    }

    /// The way to the client has cleared.
    pub fn on_cleared(&mut self, host: &mut Host) -> Life {
        if matches!(self.phase, Phase::Ended(_)) {
            return self.drain(host);
        }
        self.streams.resume(host, self.key);
        Life::Goes
    }

    fn listener(&self) -> Option<u64> {
        self.listening.then_some(self.id)
    }

    fn tell(&self, host: &mut Host, event: Event<'_>) {
        if self.listening {
            host.outbox.event(event);
        }
    }
}

/// What the client asks for.
impl Session {
    pub fn verb(&mut self, host: &mut Host, verb: Verb<'_>) -> Result<(), Reason> {
        self.parked()?;
        let (stage, acts) =
            verbs::acts(verb, &mut self.bounding).map_err(|_| Reason::BadArgument)?;
        for act in acts {
            self.send(host, &Order::Act(act, stage));
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
        if matches!(self.phase, Phase::Starting | Phase::Parked) {
            self.aborted = true;
            self.kill(SIGKILL);
        }
        Ok(())
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
        match self.phase {
            Phase::Starting | Phase::Parked => return self.abort(host),
            Phase::Proceeding | Phase::Running => {
                self.signal_all(host, SIGTERM);
                self.signal_all(host, SIGCONT);
                self.deadline = Some(Instant::now() + grace);
                host.timers.add(grace, Action::Kill(self.key));
            }
            Phase::Ended(_) => {}
        }
        Ok(())
    }

    /// Nobody listens any more.
    pub fn orphan(&mut self, host: &mut Host) -> Life {
        self.listening = false;
        self.catch_up(host);
        match (self.phase, self.orphan) {
            (Phase::Ended(_), _) => return self.drain(host),
            (Phase::Proceeding | Phase::Running, OrphanPolicy::Linger) => {
                self.streams.resume(host, self.key);
            }
            (_, OrphanPolicy::Kill(grace)) => {
                self.streams.resume(host, self.key);
                let _ = self.stop(host, grace);
            }
            (_, OrphanPolicy::Linger) => {
                let _ = self.abort(host);
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

    /// A child that is not to park may have told already that it is on its way.
    fn catch_up(&mut self, host: &mut Host) {
        if self.phase == Phase::Starting {
            self.on_control(host);
        }
    }

    fn parked(&self) -> Result<(), Reason> {
        let doomed = self.aborted || self.failed.is_some();
        if self.phase == Phase::Parked && !doomed {
            Ok(())
        } else {
            Err(Reason::NotParked)
        }
    }

    fn executing(&self) -> Result<(), Reason> {
        let executing = matches!(self.phase, Phase::Proceeding | Phase::Running);
        if executing {
            Ok(())
        } else {
            Err(Reason::NotRunning)
        }
    }

    fn send(&mut self, host: &mut Host, order: &Order) {
        let Some(child) = &mut self.child else { return };
        // A child that cannot be told any more is gone, and its end is noticed elsewhere.
        if let Ok(false) = child.send(order) {
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
            let token = Token::new(self.key, Kind::Control).number();
            let _ = host.poller.change(child.control(), flags, token);
        }
    }

    /// To the whole process group. The child is not reaped, so the number is still its own.
    fn kill(&self, number: i32) {
        if !matches!(self.phase, Phase::Ended(_)) {
            let _ = process::signal_group(self.pid, number);
        }
    }

    /// To the workload, and to everything below it if that is to end with it.
    fn signal_all(&self, host: &mut Host, number: i32) {
        if self.kill_tree {
            signal_tree(host.snapshot(), self.pid, number);
        } else {
            self.kill_alone(number);
        }
    }

    fn kill_alone(&self, number: i32) {
        if let Ok(pidfd) = process::pidfd_open(self.pid) {
            let _ = process::signal(pidfd.as_fd(), number);
        }
    }
}

/// What the child and the kernel tell.
impl Session {
    fn on_control(&mut self, host: &mut Host) {
        while let Some(child) = &mut self.child {
            match child.receive() {
                Ok(Some(Report::HungUp)) => self.on_hang_up(host),
                Ok(Some(report)) => self.on_report(host, report),
                Ok(None) | Err(_) => break,
            }
        }
        if let Some(child) = &mut self.child {
            if let Ok(true) = child.flush() {
                let token = Token::new(self.key, Kind::Control).number();
                let _ = host
                    .poller
                    .change(child.control(), EpollFlags::EPOLLIN, token);
            }
        }
    }

    fn on_report(&mut self, host: &mut Host, report: Report) {
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

    fn on_ready(&mut self, host: &mut Host, child_pid: i32) {
        if self.auto_proceed {
            self.phase = Phase::Proceeding;
        } else {
            self.phase = Phase::Parked;
            // The socket alone tells of a parked child's end: one descriptor each is enough.
            if let Some(pidfd) = self.pidfd.take() {
                host.forget(&pidfd);
            }
        }
        // One that execs by itself may have got there in spite of an abort.
        if !self.aborted || self.auto_proceed {
            self.tell(
                host,
                Event::Ready {
                    id: self.id,
                    host_pid: self.pid,
                    child_pid,
                },
            );
        }
    }

    /// An abort may have hit the process that the child has just left behind.
    fn kill_if_aborted(&self) {
        if self.aborted || self.failed.is_some() {
            self.kill(SIGKILL);
        }
    }

    /// The control socket has reached its end: exec, or death.
    fn on_hang_up(&mut self, host: &mut Host) {
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

    fn run(&mut self, host: &mut Host) {
        self.phase = Phase::Running;
        self.tell(host, Event::Running { id: self.id });
        self.streams.open(host, self.key);
    }

    fn on_process(&mut self, host: &mut Host) -> Life {
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

    /// Whether a process that ended right after it was let go did so in its own program.
    fn has_run(&self, end: End) -> bool {
        matches!(end, End::Exited(_)) || process::has_execed(self.pid)
    }

    fn on_end(&mut self, host: &mut Host, end: End) -> Life {
        if let Some(child) = self.child.take() {
            host.forget(child.control());
            host.launcher.recycle(child);
        }
        let _ = process::reap(self.pid);
        self.reap_intermediate();
        self.pidfd = None;
        let ran = self.phase == Phase::Running;
        self.phase = Phase::Ended(end);
        if !self.kill_tree {
            host.strays.lenient_ended();
        }
        if !ran {
            return self.finish(host, end, false);
        }
        if self.kill_tree {
            host.strays.doom_those_of(self.pid, self.grace_left());
        }
        self.streams.finish(host, self.key);
        self.drain(host)
    }

    /// What its descendants are granted once the workload itself is gone.
    fn grace_left(&self) -> Duration {
        match (self.deadline, self.orphan) {
            (Some(deadline), _) => deadline.saturating_duration_since(Instant::now()),
            (None, OrphanPolicy::Kill(grace)) => grace,
            (None, OrphanPolicy::Linger) => DEFAULT_GRACE,
        }
    }

    fn drain(&mut self, host: &mut Host) -> Life {
        let Phase::Ended(end) = self.phase else {
            return Life::Goes;
        };
        if self.streams.drain(host, self.key, self.listener()) {
            self.finish(host, end, true)
        } else {
            Life::Goes
        }
    }

    fn finish(&mut self, host: &mut Host, end: End, ran: bool) -> Life {
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

    fn reap_intermediate(&mut self) {
        if let Some((pid, pidfd)) = self.intermediate.take() {
            if let Ok(None) = process::reap(pid) {
                self.intermediate = Some((pid, pidfd));
            }
        }
    }

    fn watch_control(&mut self, host: &mut Host) {
        let token = Token::new(self.key, Kind::Control);
        if let Some(child) = &self.child {
            let _ = host.watch(child.control(), EpollFlags::EPOLLIN, token);
        }
    }

    /// Has the end of the process noticed: by its descriptor or, where there is none left, by looking.
    fn watch_process(&mut self, host: &mut Host, pidfd: Result<OwnedFd, Errno>) {
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
