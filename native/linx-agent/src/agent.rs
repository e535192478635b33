//! The table of sessions: what the client asks of them, and what the agent sees to by itself.

mod service;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use linx_sys::child::{Launch, Launcher};
use linx_sys::fd::{EpollFlags, Poller};
use linx_sys::process::{self, Quiet};
use linx_sys::tree::signal_where;
use nix::errno::Errno;
use nix::libc::{SIGKILL, SIGTERM};

use crate::host::{Host, CHUNK};
use crate::port::{HungUp, Outbox};
use crate::session::{Life, Session, Start};
use crate::startup::{initial_bounding, prepare, Heritage, StartError};
use crate::strays::Strays;
use crate::timers::{Action, Leftover, Timers};
use crate::wire::{Command, Event, Reason, Refusal, SpawnSpec};

pub use service::Service;

/// Keys of sessions start above the poller's own tokens.
const INBOX: u64 = 0;
const OUTBOX: u64 = 1;
const SIGNALS: u64 = 2;
const FIRST_KEY: u64 = 1;

/// The agent: every session, and what they share.
pub struct Agent {
    host: Host,
    sessions: HashMap<u64, Session>,
    /// Keys by the client's ids, of the sessions that the client still knows.
    keys: HashMap<u64, u64>,
    heritage: Heritage,
    next_key: u64,
    /// The client is gone: end what has to end, then leave.
    closing: bool,
    outbox_watched: bool,
    inbox_watched: bool,
}

impl Agent {
    /// An agent without sessions, that speaks to its client through `outbox`.
    pub fn new(
        quiet: Quiet,
        launch: Launch,
        outbox: Outbox,
        heritage: Heritage,
    ) -> Result<Self, Errno> {
        let host = Host {
            launcher: Launcher::new(launch, quiet)?,
            poller: Poller::new()?,
            outbox,
            timers: Timers::default(),
            strays: Strays::default(),
            seen: None,
            starved: Vec::new(),
            scratch: Box::new([0; CHUNK]),
        };
        Ok(Agent {
            host,
            sessions: HashMap::new(),
            keys: HashMap::new(),
            heritage,
            next_key: FIRST_KEY,
            closing: false,
            outbox_watched: false,
            inbox_watched: true,
        })
    }

    /// A frame that is no command must not leave its session as if it had not been sent.
    fn on_refused(&mut self, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::Fault { id: Some(id), .. } => self.discard(id),
            // An error would be the end of the session that has the id.
            Refusal::Spawn { id } if self.keys.contains_key(&id) => return id_in_use(id),
            Refusal::Fault { id: None, .. } | Refusal::Spawn { .. } => {}
        }
        refusal
    }

    fn discard(&mut self, id: u64) {
        let session = self
            .keys
            .get(&id)
            .and_then(|key| self.sessions.get_mut(key));
        if let Some(session) = session {
            session.on_refused_frame();
        }
    }

    fn execute(&mut self, command: Command<'_>) -> Result<(), Refusal> {
        match command {
            Command::Spawn { id, spec } => self.spawn(id, *spec),
            Command::Verb { id, verb } => {
                let result = self.ask(id, |s, host| s.verb(host, verb));
                result.inspect_err(|_| self.discard(id))
            }
            Command::Sync { id } => self.ask(id, |s, host| s.sync(host)),
            Command::Proceed { id } => self.ask(id, |s, host| s.proceed(host)),
            Command::Abort { id } => self.ask(id, |s, host| s.abort(host)),
            Command::Signal { id, signal } => self.ask(id, |s, _| s.signal(signal)),
            Command::Stop { id, grace } => self.ask(id, |s, host| s.stop(host, grace)),
            Command::Orphan { id } => self.orphan(id),
            Command::Write { id, bytes } => self.ask(id, |s, host| s.write(host, bytes)),
            Command::CloseStdin { id } => self.ask(id, |s, host| s.close_stdin(host)),
            Command::Winsize { id, winsize } => self.ask(id, |s, _| s.resize(winsize)),
            Command::Ack { id, bytes } => {
                let key = self.key(id)?;
                self.with_session(key, |s, host| s.ack(host, bytes));
                Ok(())
            }
            Command::KillLeftover { pid, grace, ago } => {
                self.kill_leftover(pid, grace, ago);
                Ok(())
            }
        }
    }

    fn spawn(&mut self, id: u64, spec: SpawnSpec<'_>) -> Result<(), Refusal> {
        if self.keys.contains_key(&id) {
            return Err(id_in_use(id));
        }
        match self.start(id, spec) {
            Ok(session) => {
                self.keys.insert(id, self.next_key);
                self.sessions.insert(self.next_key, session);
                self.next_key += 1;
            }
            Err(failed) => self.report_failed_start(id, failed),
        }
        Ok(())
    }

    fn start(&mut self, id: u64, spec: SpawnSpec<'_>) -> Result<Session, StartError> {
        let (orphan, kill_tree) = (spec.orphan, spec.kill_tree);
        let mut bounding = initial_bounding(&spec, &self.heritage);
        let (plan, streams) = prepare(spec, &self.heritage, &mut bounding)?;
        let (key, others) = (self.next_key, self.sessions.len());
        Session::start(
            &mut self.host,
            Start {
                key,
                id,
                plan,
                streams,
                bounding,
                orphan,
                kill_tree,
                others,
            },
        )
    }

    fn report_failed_start(&mut self, id: u64, StartError { stage, errno }: StartError) {
        let errno = errno as i32;
        self.host.outbox.event(Event::Error {
            id,
            errno,
            stage: stage.name(),
        });
    }

    fn key(&self, id: u64) -> Result<u64, Refusal> {
        let unknown = Refusal::Fault {
            id: Some(id),
            reason: Reason::UnknownSession,
        };
        self.keys.get(&id).copied().ok_or(unknown)
    }

    fn ask(
        &mut self,
        id: u64,
        request: impl FnOnce(&mut Session, &mut Host) -> Result<(), Reason>,
    ) -> Result<(), Refusal> {
        let key = self.key(id)?;
        match self.sessions.get_mut(&key) {
            Some(session) => request(session, &mut self.host).map_err(|reason| Refusal::Fault {
                id: Some(id),
                reason,
            }),
            None => Ok(()),
        }
    }

    /// Lets a session do something and forgets it if that was the end of it.
    fn with_session(&mut self, key: u64, act: impl FnOnce(&mut Session, &mut Host) -> Life) {
        let Some(session) = self.sessions.get_mut(&key) else {
            return;
        };
        if act(session, &mut self.host) == Life::Over {
            let id = session.id();
            self.sessions.remove(&key);
            if self.keys.get(&id) == Some(&key) {
                self.keys.remove(&id);
            }
        }
    }

    fn orphan(&mut self, id: u64) -> Result<(), Refusal> {
        let key = self.key(id)?;
        self.keys.remove(&id);
        self.with_session(key, |s, host| s.orphan(host));
        Ok(())
    }

    fn kill_leftover(&mut self, leader: i32, grace: Duration, ago: Duration) {
        let now = process::since_boot();
        let there = now.saturating_sub(ago);
        if self.signal_leftover(Leftover { leader, there }, SIGTERM) {
            let left = Leftover { leader, there: now };
            self.host.timers.add(grace, Action::KillLeftover(left));
        }
    }

    /// To every process of a session, if the session is still the one that was there then: one of its members is that old.
    /// A number that has become another session's since has none.
    fn signal_leftover(&mut self, session: Leftover, number: i32) -> bool {
        let members: Vec<i32> = self.host.snapshot().members(session.leader).collect();
        let same = members
            .iter()
            .any(|pid| process::started_by(*pid, session.there));
        for pid in members.iter().filter(|_| same) {
            signal_where(*pid, number, |kin| kin.session == session.leader);
        }
        same
    }

    fn mind_strays(&mut self) {
        self.host.seen = None;
        if self.host.strays.is_urgent() {
            self.look_for_strays();
        }
        if let Some(delay) = self.host.strays.schedule() {
            self.host.timers.add(delay, Action::LookForStrays);
        }
    }

    fn look_for_strays(&mut self) {
        let known = self.sessions.values().flat_map(Session::pids).collect();
        self.host.strays.look(&known);
    }

    /// The client is gone.
    fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.keys.clear();
            let keys: Vec<u64> = self.sessions.keys().copied().collect();
            for key in keys {
                self.with_session(key, |s, host| s.orphan(host));
            }
        }
    }

    fn may_leave(&self) -> bool {
        let outlive = self.sessions.values().all(Session::may_outlive_agent);
        outlive && !self.host.strays.has_doomed() && !self.host.timers.has_leftovers()
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some(action) = self.host.timers.next(now) {
            match action {
                Action::Kill(key) => self.with_session(key, |s, host| {
                    s.kill_now(host);
                    Life::Goes
                }),
                Action::CheckEnd(key) => self.with_session(key, |s, host| s.check_end(host)),
                Action::KillLeftover(session) => {
                    self.signal_leftover(session, SIGKILL);
                }
                Action::LookForStrays => {
                    self.host.strays.is_due();
                    self.look_for_strays();
                }
            }
        }
    }

    /// Sends what has gathered, and lets output flow again that had to wait for it.
    fn flush(&mut self) {
        if self.host.outbox.flush() == Err(HungUp) {
            self.close();
        }
        if !self.host.outbox.is_full() {
            for key in std::mem::take(&mut self.host.starved) {
                self.with_session(key, |s, host| s.on_cleared(host));
            }
        }
        let waiting = !self.host.outbox.is_empty() && !self.closing;
        if waiting != self.outbox_watched {
            let fd = self.host.outbox.fd();
            let done = if waiting {
                self.host.poller.watch(fd, EpollFlags::EPOLLOUT, OUTBOX)
            } else {
                self.host.poller.forget(fd)
            };
            self.outbox_watched = waiting && done.is_ok();
        }
    }
}

fn id_in_use(id: u64) -> Refusal {
    Refusal::Fault {
        id: Some(id),
        reason: Reason::IdInUse,
    }
}
