//! What the agent tells, as its client understands it.

use super::term::Term;

/// An event of `docs/PROTOCOL.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Hello,
    Ready { host_pid: i32 },
    Running,
    Output { stream: String, bytes: Vec<u8> },
    Written(u64),
    Synced,
    Ended(End),
    Fault(String),
}

/// A terminal event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Exited,
    Signaled,
    Aborted,
    Error { errno: i128, stage: String },
}

impl Event {
    /// The event of a frame, and the session it names.
    ///
    /// # Panics
    /// If it is no event of the protocol.
    pub fn decode(frame: &[u8]) -> (Option<u64>, Event) {
        let term = Term::decode(frame);
        let Term::Tuple(parts) = &term else {
            panic!("{term:?}")
        };
        let [Term::Atom(name), subject, rest @ ..] = parts.as_slice() else {
            panic!("{term:?}")
        };
        let event = event(name, rest).unwrap_or_else(|| panic!("{term:?}"));
        let id = match subject {
            Term::Int(id) if event != Event::Hello => u64::try_from(*id).ok(),
            _ => None,
        };
        let anonymous = matches!(event, Event::Hello | Event::Fault(_));
        assert!(id.is_some() || anonymous, "{term:?}");
        (id, event)
    }
}

fn event(name: &str, rest: &[Term]) -> Option<Event> {
    use Term::{Atom, Bytes, Int, Map};
    Some(match (name, rest) {
        ("hello", [Bytes(_), Map(_)]) => Event::Hello,
        ("ready", [Int(host_pid), Int(_)]) => Event::Ready {
            host_pid: i32::try_from(*host_pid).ok().filter(|pid| *pid > 0)?,
        },
        ("running", []) => Event::Running,
        ("output", [Atom(stream), Bytes(bytes)]) => Event::Output {
            stream: stream.clone(),
            bytes: bytes.clone(),
        },
        ("written", [Int(count)]) => Event::Written(u64::try_from(*count).ok()?),
        ("synced", [Int(_)]) => Event::Synced,
        ("exited", [Int(_)]) => Event::Ended(End::Exited),
        ("signaled", [Int(_)]) => Event::Ended(End::Signaled),
        ("aborted", []) => Event::Ended(End::Aborted),
        ("error", [Int(errno), Atom(stage)]) => Event::Ended(End::Error {
            errno: *errno,
            stage: stage.clone(),
        }),
        ("fault", [Atom(reason)]) => Event::Fault(reason.clone()),
        _ => return None,
    })
}
