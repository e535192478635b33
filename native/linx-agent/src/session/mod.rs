//! One workload, from its clone to its terminal event. What is asked of it stands in `requests`, what becomes of it in
//! `reports`.

mod reports;
mod requests;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linx_caps::CapSet;
use linx_sys::child::{Child, Plan, Stage};
use linx_sys::process::End;
use nix::errno::Errno;

use crate::host::{Host, Kind};
use crate::startup::StartError;
use crate::streams::Streams;
use crate::wire::{Event, OrphanPolicy};

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
    bounding: CapSet,
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
    pub bounding: CapSet,
    pub orphan: OrphanPolicy,
    pub kill_tree: bool,
    /// How many sessions there are already.
    pub others: usize,
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
            others,
        } = start;
        let failed = |errno| StartError {
            stage: Stage::Clone,
            errno,
        };
        let auto_proceed = plan.auto_proceed;
        let (child, pidfd) = host.launcher.launch(plan, others).map_err(failed)?;
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
            Kind::Intermediate => self.reap_intermediate(host),
            Kind::Input => self.streams.flush(host, self.key, self.listener()),
            Kind::Output(_) if matches!(self.phase, Phase::Ended(_)) => return self.drain(host),
            Kind::Output(i) => self.streams.take(host, self.key, i, self.listener()),
        }
        Life::Goes
    }

    /// The way to the client has cleared.
    pub fn on_cleared(&mut self, host: &mut Host) -> Life {
        match self.phase {
            Phase::Ended(_) => return self.drain(host),
            Phase::Running => self.streams.resume(host, self.key),
            // No output is told of before it runs, even if it is there.
            Phase::Starting | Phase::Parked | Phase::Proceeding => {}
        }
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
