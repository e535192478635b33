//! The event loop: frames in, sessions served, events out.

use std::os::fd::OwnedFd;
use std::time::Duration;

use linx_sys::child::{Launch, Stage};
use linx_sys::fd::{self, EpollEvent, EpollFlags, SignalFd};
use linx_sys::kernel;
use linx_sys::process::Quiet;
use nix::errno::Errno;

use super::{Agent, INBOX, OUTBOX, SIGNALS};
use crate::heritage;
use crate::host::Token;
use crate::port::{HungUp, Inbox, Outbox};
use crate::startup::StartError;
use crate::wire::{decode, Event, Frame, Reason, Refusal};

const EVENTS: usize = 256;

/// An agent and its client.
pub struct Service {
    agent: Agent,
    inbox: Inbox,
    signals: SignalFd,
    events: Box<[EpollEvent; EVENTS]>,
}

impl Service {
    /// An agent without sessions: frames come from `input`, events go to `output`. A process has one at a time.
    ///
    /// # Errors
    /// `EBUSY` if descriptors 16 to 79 are not free; those of fcntl(2), epoll_create(2), signalfd(2) and capset(2).
    pub fn new(
        quiet: Quiet,
        launch: Launch,
        input: OwnedFd,
        output: OwnedFd,
    ) -> Result<Self, Errno> {
        let inbox = Inbox::new(input)?;
        let agent = Agent::new(quiet, launch, Outbox::new(output)?, heritage::own()?)?;
        let signals = fd::signal_fd()?;
        let poller = &agent.host.poller;
        poller.watch(inbox.fd(), EpollFlags::EPOLLIN, INBOX)?;
        poller.watch(&signals, EpollFlags::EPOLLIN, SIGNALS)?;
        let mut service = Service {
            agent,
            inbox,
            signals,
            events: Box::new([EpollEvent::empty(); EVENTS]),
        };
        service.greet(launch);
        Ok(service)
    }

    fn greet(&mut self, launch: Launch) {
        self.agent.host.outbox.event(Event::Hello {
            version: env!("CARGO_PKG_VERSION"),
            launch: match launch {
                Launch::Clone => "clone",
                Launch::Fork => "fork",
            },
            last_cap: i32::from(kernel::max_bits()) - 1,
            pid: std::process::id() as i32,
        });
    }

    /// Serves until the client is gone and nothing is left to end.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    pub fn run(mut self) -> Result<(), Errno> {
        while self.turn(None)? {}
        Ok(())
    }

    /// Serves what has happened since the last turn; where nothing has, waits for it, at most `patience` milliseconds.
    /// `false` when the client is gone and nothing is left to end.
    ///
    /// # Errors
    /// Those of epoll_wait(2).
    pub fn turn(&mut self, patience: Option<u16>) -> Result<bool, Errno> {
        self.agent.flush();
        self.mind();
        if self.agent.closing && self.agent.may_leave() {
            return Ok(false);
        }
        let waits = [self.agent.host.timers.wait(), patience];
        let wait = waits.into_iter().flatten().min();
        let count = self.agent.host.poller.wait(&mut *self.events, wait)?;
        for at in 0..count {
            if let Some(number) = self.events.get(at).map(EpollEvent::data) {
                self.on_event(number);
            }
        }
        self.agent.run_timers();
        self.agent.mind_strays();
        if self.agent.closing {
            self.agent.host.forget(&self.signals);
        }
        Ok(true)
    }

    /// Lets the timers have it that `by` has passed, which a client need not wait for then.
    pub fn skip(&mut self, by: Duration) {
        self.agent.host.timers.skip(by);
    }

    /// Listens to the client unless it does not listen itself: its frames wait while too much is on the way to it.
    fn mind(&mut self) {
        let agent = &mut self.agent;
        let wanted = !agent.closing && !agent.host.outbox.is_clogged();
        if wanted != agent.inbox_watched {
            let (poller, fd) = (&agent.host.poller, self.inbox.fd());
            let done = if wanted {
                poller.watch(fd, EpollFlags::EPOLLIN, INBOX)
            } else {
                poller.forget(fd)
            };
            agent.inbox_watched = wanted && done.is_ok();
        }
    }

    fn on_event(&mut self, number: u64) {
        match number {
            INBOX => {
                if self.inbox.fill() == Err(HungUp) {
                    self.agent.close();
                }
                self.serve();
            }
            // Sent by the next flush.
            OUTBOX => {}
            SIGNALS => self.agent.close(),
            _ => {
                if let Some(token) = Token::from_number(number) {
                    self.agent
                        .with_session(token.key, |s, host| s.on_event(host, token.kind));
                }
            }
        }
    }

    /// Serves the frames that have arrived.
    fn serve(&mut self) {
        let agent = &mut self.agent;
        while !agent.closing {
            let result = match self.inbox.next() {
                None => return,
                Some(Frame::TooLarge) => Err(Refusal::Fault {
                    id: None,
                    reason: Reason::TooLarge,
                }),
                Some(Frame::Whole(frame)) => match decode(frame) {
                    Ok(command) => agent.execute(command),
                    Err(refusal) => Err(agent.on_refused(refusal)),
                },
            };
            match result {
                Ok(()) => {}
                Err(Refusal::Fault { id, reason }) => {
                    agent.host.outbox.event(Event::Fault { id, reason });
                }
                Err(Refusal::Spawn { id }) => {
                    let failed = StartError {
                        stage: Stage::Protocol,
                        errno: Errno::EINVAL,
                    };
                    agent.report_failed_start(id, failed);
                }
            }
        }
    }
}
