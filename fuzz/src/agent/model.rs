//! The client's view of the agent: what was asked, in which order, and whether what is told fits it.
//!
//! Behind each frame goes another that no agent understands, with an id of its own. The agent serves frames in
//! order and answers at once what it refuses, so that the answer to this *fence* closes the frame before it.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use linx_agent::wire::{decode, Command, Refusal, SpawnSpec};

use super::event::{End, Event};
use super::session::{is_lenient, Session, Verdict};
use super::term::{int, tagged};

/// No session has an id from here on.
pub const FIRST_FENCE: u64 = 1 << 40;

/// A frame that is on its way, and what has come since the one before was answered.
struct Request {
    frame: Vec<u8>,
    fence: u64,
    faults: Vec<(Option<u64>, String)>,
    /// There were events of the session that it names.
    touched: bool,
    /// The launch it asks for has failed.
    failed: bool,
    /// It is known to have been obeyed.
    accepted: bool,
}

impl Request {
    /// What an ack or a write sets off comes before its fence.
    fn credit(&mut self, id: u64, session: &mut Session) {
        let command = decode(&self.frame);
        if let Ok(command @ (Command::Ack { id: of, .. } | Command::Write { id: of, .. })) = command
        {
            if of == id && !self.accepted {
                session.obeyed(&command);
                self.accepted = true;
            }
        }
    }
}

enum Note {
    Sent(Vec<u8>),
    Told(Option<u64>, Event),
}

/// The sessions the client has, and the frames that are not answered yet.
#[derive(Default)]
pub struct Model {
    sessions: HashMap<u64, Session>,
    waiting: VecDeque<Request>,
    fences: u64,
    greeted: bool,
    /// Something outside of the protocol may have killed a child.
    pub violent: bool,
    /// Some workload, or what it leaves behind, may outlive the agent.
    pub lenient: bool,
    history: Vec<Note>,
}

impl Model {
    /// Takes note of a frame to be sent; returns the fence that has to follow it.
    pub fn send(&mut self, frame: &[u8]) -> Vec<u8> {
        match decode(frame) {
            Ok(Command::Spawn { spec, .. }) => {
                self.lenient |= is_lenient(&spec);
                self.violent |= spec.enter.is_some();
            }
            Ok(Command::KillLeftover { .. }) => self.violent = true,
            _ => {}
        }
        let fence = FIRST_FENCE + self.fences;
        self.fences += 1;
        self.history.push(Note::Sent(frame.to_vec()));
        self.waiting.push_back(Request {
            frame: frame.to_vec(),
            fence,
            faults: Vec::new(),
            touched: false,
            failed: false,
            accepted: false,
        });
        tagged("fence", [int(fence)]).encode()
    }

    /// Takes an event of the agent's.
    pub fn tell(&mut self, frame: &[u8]) {
        let (id, event) = Event::decode(frame);
        let verdict = self.hear(id, &event);
        self.history.push(Note::Told(id, event));
        if let Err(sentence) = verdict {
            self.fail(&sentence);
        }
    }

    /// Whether every frame has been answered.
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The ids of the sessions there are.
    pub fn open(&self) -> Vec<u64> {
        self.sessions.keys().copied().collect()
    }

    /// The child of a session that has told it.
    pub fn host_pid(&self, id: u64) -> Option<i32> {
        self.sessions.get(&id)?.host_pid
    }

    /// Ends the run: this must not have happened.
    pub fn fail(&self, sentence: &str) -> ! {
        let mut story = String::new();
        for note in &self.history {
            let _ = match note {
                Note::Sent(frame) => writeln!(story, "-> {:?}", decode(frame)),
                Note::Told(id, event) => writeln!(story, "<- {id:?} {event:?}"),
            };
        }
        panic!("{sentence}\n{story}sessions: {:#?}", self.sessions)
    }

    fn hear(&mut self, id: Option<u64>, event: &Event) -> Verdict {
        if self.greeted == (*event == Event::Hello) {
            return Err("a hello is the first event, and no other".to_owned());
        }
        match (id, event) {
            (_, Event::Hello) => {
                self.greeted = true;
                Ok(())
            }
            (id, Event::Fault(reason)) => self.on_fault(id, reason),
            (Some(id), event) => self.on_event(id, event),
            (None, _) => Err("an event of no session".to_owned()),
        }
    }

    fn on_fault(&mut self, id: Option<u64>, reason: &str) -> Verdict {
        let front = self.waiting.front_mut().ok_or("a fault unasked")?;
        if id != Some(front.fence) {
            front.faults.push((id, reason.to_owned()));
            return Ok(());
        }
        match self.waiting.pop_front() {
            Some(request) if reason == "unknown_command" => self.settle(&request),
            _ => Err("another fault than that of an unknown command".to_owned()),
        }
    }

    fn on_event(&mut self, id: u64, event: &Event) -> Verdict {
        if let Some(front) = self.waiting.front_mut() {
            front.touched |= target(&front.frame) == Some(id);
        }
        if !self.sessions.contains_key(&id) && self.is_of_launch(id, event)? {
            return Ok(());
        }
        let session = self.sessions.get_mut(&id).ok_or("an event after the end")?;
        if let Some(front) = self.waiting.front_mut() {
            front.credit(id, session);
        }
        session.hear(event, self.violent)?;
        if let Event::Ended(_) = event {
            self.sessions.remove(&id);
        }
        Ok(())
    }

    /// An event of a session that there is not yet belongs to a launch that is on its way. `true` if it was the end of it.
    fn is_of_launch(&mut self, id: u64, event: &Event) -> Result<bool, String> {
        let front = self.waiting.front_mut().ok_or("an event after the end")?;
        if target(&front.frame) != Some(id) || front.failed || front.accepted {
            return Err("an event after the end".to_owned());
        }
        if let Event::Ended(End::Error { .. }) = event {
            front.failed = true;
            return Ok(true);
        }
        if let Ok(Command::Spawn { spec, .. }) = decode(&front.frame) {
            front.accepted = true;
            self.sessions.insert(id, Session::new(&spec));
        }
        Ok(false)
    }

    /// A frame has been answered: whether it should have been answered so.
    fn settle(&mut self, request: &Request) -> Verdict {
        let told: Vec<_> = request
            .faults
            .iter()
            .map(|(id, it)| (*id, it.as_str()))
            .collect();
        match decode(&request.frame) {
            Err(Refusal::Fault { id, reason }) => {
                let session = id.and_then(|id| self.sessions.get_mut(&id));
                session.map(Session::fail);
                wanted(told == [(id, reason.name())], "a refused frame", request)
            }
            Err(Refusal::Spawn { id }) => self.settle_launch(id, None, request),
            Ok(Command::Spawn { id, spec }) => self.settle_launch(id, Some(&spec), request),
            Ok(Command::KillLeftover { .. }) => wanted(told.is_empty(), "kill_leftover", request),
            Ok(command) => self.settle_request(&command, request),
        }
    }

    fn settle_launch(&mut self, id: u64, spec: Option<&SpawnSpec<'_>>, it: &Request) -> Verdict {
        let known = self.sessions.contains_key(&id);
        match it.faults.as_slice() {
            [] if it.failed || it.accepted => Ok(()),
            [] => {
                let spec = spec.ok_or("a bad spec without an error")?;
                self.sessions.insert(id, Session::new(spec));
                wanted(!known, "a launch with an id in use", it)
            }
            faults => wanted(
                faults == [(Some(id), "id_in_use".to_owned())] && (known || it.touched),
                "a launch",
                it,
            ),
        }
    }

    fn settle_request(&mut self, command: &Command<'_>, it: &Request) -> Verdict {
        let id = target(&it.frame);
        let reason = match it.faults.as_slice() {
            [] => None,
            [(of, reason)] if *of == id => Some(reason.as_str()),
            _ => return wanted(false, "a request", it),
        };
        let Some(session) = id.and_then(|id| self.sessions.get_mut(&id)) else {
            let unknown = reason == Some("unknown_session");
            return wanted(unknown || it.touched, "a request for no session", it);
        };
        if !it.touched {
            let answers = session.answers(command);
            wanted(answers.contains(&reason), "a request", it)?;
        }
        match (command, reason) {
            (Command::Orphan { id }, None) => drop(self.sessions.remove(id)),
            (_, None) if it.accepted => {}
            (_, None) => session.obeyed(command),
            (Command::Verb { .. }, Some(_)) => session.fail(),
            (_, Some(_)) => {}
        }
        Ok(())
    }
}

fn wanted(holds: bool, what: &str, request: &Request) -> Verdict {
    let sentence = || {
        format!(
            "{what} was answered by {:?}: {:?}",
            request.faults,
            decode(&request.frame)
        )
    };
    holds.then_some(()).ok_or_else(sentence)
}

/// The session that a frame names.
fn target(frame: &[u8]) -> Option<u64> {
    match decode(frame) {
        Err(Refusal::Fault { id, .. }) => id,
        Err(Refusal::Spawn { id }) => Some(id),
        Ok(command) => match command {
            Command::Spawn { id, .. }
            | Command::Verb { id, .. }
            | Command::Sync { id }
            | Command::Proceed { id }
            | Command::Abort { id }
            | Command::Signal { id, .. }
            | Command::Stop { id, .. }
            | Command::Orphan { id }
            | Command::Write { id, .. }
            | Command::CloseStdin { id }
            | Command::Winsize { id, .. }
            | Command::Ack { id, .. } => Some(id),
            Command::KillLeftover { .. } => None,
        },
    }
}

/// Whether a frame may be sent at all: launches only of what is known to be harmless, and no fences.
pub fn is_harmless(frame: &[u8]) -> bool {
    let launch = matches!(decode(frame), Ok(Command::Spawn { .. }));
    !launch && target(frame).is_none_or(|id| id < FIRST_FENCE)
}
