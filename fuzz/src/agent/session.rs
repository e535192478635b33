//! What a client may count on for one session, as `docs/PROTOCOL.md` has it.

use linx_agent::wire::{Channel, Command, OrphanPolicy, SpawnSpec, Stderr, Stdio, Verb};

use super::event::{End, Event};

/// How far the client knows the session to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Parked,
    Proceeding,
    Running,
}

/// Why the workload must not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doom {
    /// The client has discarded it.
    Aborted,
    /// A frame for it was refused.
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stdin {
    None,
    Open,
    Closed,
}

/// A session from its spawn to its terminal event.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    pub host_pid: Option<i32>,
    auto: bool,
    terminal: bool,
    stdin: Stdin,
    outputs: Vec<&'static str>,
    window: u64,
    doomed: Option<Doom>,
    /// A verb was applied that the kernel may have refused.
    has_verbs: bool,
    /// It was asked to end after it was let go.
    stopped: bool,
    syncs: u64,
    given: u64,
}

/// What came of it: a sentence where it was nothing that the protocol allows.
pub type Verdict = Result<(), String>;

fn demand(holds: bool, sentence: &str) -> Verdict {
    holds.then_some(()).ok_or_else(|| sentence.to_owned())
}

impl Session {
    pub fn new(spec: &SpawnSpec<'_>) -> Session {
        let terminal = spec.stdio == Stdio::Pty;
        let (stdin, outputs) = match spec.stdio {
            Stdio::Pty => (Stdin::None, vec!["pty"]),
            Stdio::Each {
                stdin,
                stdout,
                stderr,
            } => (stdin_of(stdin), outputs_of(stdout, stderr)),
        };
        Session {
            phase: Phase::Starting,
            host_pid: None,
            auto: spec.proceed,
            terminal,
            stdin,
            outputs,
            window: spec.window,
            doomed: None,
            has_verbs: false,
            stopped: false,
            syncs: 0,
            given: 0,
        }
    }

    /// The faults that may answer a request; `None` stands for no fault.
    pub fn answers(&self, command: &Command<'_>) -> Vec<Option<&'static str>> {
        let parked = self.phase == Phase::Parked && self.doomed.is_none();
        let executing = matches!(self.phase, Phase::Proceeding | Phase::Running);
        let mut answers = match command {
            Command::Spawn { .. } => vec![Some("id_in_use")],
            Command::Verb { .. } | Command::Sync { .. } | Command::Proceed { .. } if !parked => {
                vec![Some("not_parked")]
            }
            Command::Signal { .. } if self.phase != Phase::Running => vec![Some("not_running")],
            Command::Write { .. } | Command::CloseStdin { .. } if !executing => {
                vec![Some("not_running")]
            }
            Command::Write { .. } if self.terminal => vec![None],
            Command::Write { .. } | Command::CloseStdin { .. } => match self.stdin {
                Stdin::None => vec![Some("no_stdin")],
                Stdin::Open => vec![None],
                Stdin::Closed => vec![None, Some("no_stdin")],
            },
            Command::Winsize { .. } if !self.terminal => vec![Some("no_pty")],
            _ => vec![None],
        };
        self.add_unforeseen(command, &mut answers);
        answers
    }

    /// The answers to what the client cannot know yet.
    fn add_unforeseen(&self, command: &Command<'_>, answers: &mut Vec<Option<&'static str>>) {
        match command {
            Command::Verb {
                verb: Verb::SetMode(_),
                ..
            } => answers.push(Some("bad_argument")),
            Command::Verb { .. } | Command::Sync { .. } | Command::Proceed { .. }
                if self.has_verbs =>
            {
                answers.push(Some("not_parked"));
            }
            // It may have ended, with output that waits for an ack.
            Command::Signal { .. } | Command::Write { .. } | Command::CloseStdin { .. }
                if !self.outputs.is_empty() =>
            {
                answers.push(Some("not_running"));
            }
            _ => {}
        }
    }

    /// A request was obeyed.
    pub fn obeyed(&mut self, command: &Command<'_>) {
        match command {
            Command::Verb { .. } => self.has_verbs = true,
            Command::Sync { .. } => self.syncs += 1,
            Command::Proceed { .. } => self.phase = Phase::Proceeding,
            Command::Abort { .. } => self.discard(),
            Command::Stop { .. } => {
                self.discard();
                self.stopped = true;
            }
            Command::Write { bytes, .. } => self.given += bytes.len() as u64,
            Command::CloseStdin { .. } => self.stdin = Stdin::Closed,
            Command::Ack { bytes, .. } => self.window = self.window.saturating_add(*bytes),
            _ => {}
        }
    }

    /// It was aborted, if it has not left the checkpoint.
    fn discard(&mut self) {
        if matches!(self.phase, Phase::Starting | Phase::Parked) && self.doomed.is_none() {
            self.doomed = Some(Doom::Aborted);
        }
    }

    /// A frame for it was refused in a way that ends what has not run yet.
    pub fn fail(&mut self) {
        if matches!(self.phase, Phase::Starting | Phase::Parked) && self.doomed.is_none() {
            self.doomed = Some(Doom::Failed);
        }
    }

    /// Whether it must not run. One that does not park may have been on its way when it was discarded.
    fn is_discarded(&self) -> bool {
        self.doomed.is_some() && !self.auto
    }

    /// Takes an event that is no fault. `violent`: anything may have killed the child.
    pub fn hear(&mut self, event: &Event, violent: bool) -> Verdict {
        match event {
            Event::Ready { host_pid } => self.on_ready(*host_pid),
            Event::Running => self.on_running(),
            Event::Output { stream, bytes } => self.on_output(stream, bytes.len() as u64),
            Event::Written(count) => {
                let rest = self.given.checked_sub(*count);
                self.given = rest.ok_or("more was written than given")?;
                demand(
                    matches!(self.phase, Phase::Proceeding | Phase::Running),
                    "written before it was let go",
                )
            }
            Event::Synced => {
                self.syncs = self.syncs.checked_sub(1).ok_or("synced without a sync")?;
                Ok(())
            }
            Event::Ended(end) => self.on_end(end, violent),
            Event::Hello | Event::Fault(_) => Err("not for a session".to_owned()),
        }
    }

    fn on_ready(&mut self, host_pid: i32) -> Verdict {
        demand(self.phase == Phase::Starting, "ready twice")?;
        let aborted = self.doomed == Some(Doom::Aborted) && !self.auto;
        demand(!aborted, "ready after an abort")?;
        self.host_pid = Some(host_pid);
        self.phase = match self.auto {
            true => Phase::Proceeding,
            false => Phase::Parked,
        };
        Ok(())
    }

    fn on_running(&mut self) -> Verdict {
        demand(
            self.phase == Phase::Proceeding,
            "running before it was let go",
        )?;
        demand(!self.is_discarded(), "running after it was discarded")?;
        demand(self.syncs == 0, "running before a sync was answered")?;
        self.phase = Phase::Running;
        Ok(())
    }

    fn on_output(&mut self, stream: &str, count: u64) -> Verdict {
        demand(self.phase == Phase::Running, "output before running")?;
        demand(self.outputs.contains(&stream), "output of no pipe")?;
        demand((1..=65_536).contains(&count), "output of a strange size")?;
        let rest = self.window.checked_sub(count);
        self.window = rest.ok_or("more output than the window allows")?;
        Ok(())
    }

    fn on_end(&self, end: &End, violent: bool) -> Verdict {
        let ran = self.phase == Phase::Running;
        match end {
            End::Exited => demand(ran, "exited without running"),
            End::Signaled => demand(
                ran || violent || self.stopped,
                "killed before it ran, by nobody",
            ),
            End::Aborted => demand(
                !ran && self.doomed == Some(Doom::Aborted),
                "aborted unasked",
            ),
            End::Error { errno, stage } => {
                demand(!ran, "failed after it ran")?;
                demand(*errno > 0 && !stage.is_empty(), "failed without a reason")
            }
        }?;
        let fits = match self.doomed {
            _ if self.auto && (ran || self.stopped) => true,
            None => true,
            Some(Doom::Failed) => matches!(end, End::Error { .. }),
            Some(Doom::Aborted) => matches!(end, End::Aborted | End::Error { .. }),
        };
        demand(fits, "ended in a way that its discarding does not explain")
    }
}

fn stdin_of(channel: Channel<'_>) -> Stdin {
    match channel {
        Channel::Pipe => Stdin::Open,
        _ => Stdin::None,
    }
}

fn outputs_of(stdout: Channel<'_>, stderr: Stderr<'_>) -> Vec<&'static str> {
    let out = (stdout == Channel::Pipe).then_some("stdout");
    let err = (stderr == Stderr::Channel(Channel::Pipe)).then_some("stderr");
    out.into_iter().chain(err).collect()
}

/// Whether something of this launch may outlive the agent.
pub fn is_lenient(spec: &SpawnSpec<'_>) -> bool {
    spec.orphan == OrphanPolicy::Linger || !spec.kill_tree
}
