//! Client to agent: what a frame asks for.

use std::time::Duration;

use linx_sys::fd::Size;

use super::etf::{self, Elements, Term};
use super::refusal::{Reason, Refusal};
use super::spec::SpawnSpec;
use super::value::{self, BadArgument, Decoded};
use super::verb::Verb;

/// A client's frame. `id` names the session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command<'a> {
    /// Start a session.
    Spawn {
        id: u64,
        /// Boxed because it is many times the size of any other command.
        spec: Box<SpawnSpec<'a>>,
    },
    /// Change the parked child.
    Verb { id: u64, verb: Verb<'a> },
    /// Tell when the verbs so far are applied.
    Sync { id: u64 },
    /// Let the parked child exec.
    Proceed { id: u64 },
    /// Discard the parked child.
    Abort { id: u64 },
    /// Signal the running workload; 1 to 64.
    Signal { id: u64, signal: i32 },
    /// End the session: SIGTERM, and SIGKILL after `grace`.
    Stop { id: u64, grace: Duration },
    /// Nobody listens to the session any more.
    Orphan { id: u64 },
    /// Input for the workload.
    Write { id: u64, bytes: &'a [u8] },
    /// No more input after this.
    CloseStdin { id: u64 },
    /// Resize the pty.
    Winsize { id: u64, winsize: Size },
    /// So many more bytes of output were taken.
    Ack { id: u64, bytes: u64 },
    /// End what a dead agent left of a workload's session; `pid` is positive, and was the workload's at a time that lies
    /// `ago` back.
    KillLeftover {
        pid: i32,
        grace: Duration,
        ago: Duration,
    },
}

/// Decodes one frame, without its length header.
///
/// The command borrows its strings from the frame. A frame that is not a command is described by a
/// [`Refusal`], with the id of its session wherever that can be read, even in front of damage.
pub fn decode(frame: &[u8]) -> Result<Command<'_>, Refusal> {
    let intact = etf::read(frame);
    let head = intact.or_else(|_| etf::read_head(frame));
    let Ok(Ok((name, arguments))) = head.map(value::tagged) else {
        return Err(Refusal::Fault {
            id: None,
            reason: Reason::Malformed,
        });
    };
    let (id, arguments) = session(name, arguments);
    let told = id.ok();
    if intact.is_err() {
        return Err(Refusal::Fault {
            id: told,
            reason: Reason::Malformed,
        });
    }
    interpret(name, id, arguments).map_err(|failure| failure.of(told))
}

/// Takes the session's id off the front of the arguments, except of the one command without.
fn session<'a>(name: &[u8], arguments: Elements<'a>) -> (Decoded<u64>, Elements<'a>) {
    let mut rest = arguments;
    match (name, rest.next()) {
        (b"kill_leftover", _) | (_, None | Some(Err(_))) => (Err(BadArgument), arguments),
        (_, Some(Ok(id))) => (value::integer(id), rest),
    }
}

/// What was wrong with an intact frame.
enum Failure {
    Name,
    Argument,
    Spec { id: u64 },
}

impl From<BadArgument> for Failure {
    fn from(_: BadArgument) -> Self {
        Self::Argument
    }
}

impl Failure {
    fn of(self, id: Option<u64>) -> Refusal {
        match self {
            Self::Name => Refusal::Fault {
                id,
                reason: Reason::UnknownCommand,
            },
            Self::Argument => Refusal::Fault {
                id,
                reason: Reason::BadArgument,
            },
            Self::Spec { id } => Refusal::Spawn { id },
        }
    }
}

fn interpret<'a>(
    name: &[u8],
    id: Decoded<u64>,
    arguments: Elements<'a>,
) -> Result<Command<'a>, Failure> {
    match name {
        b"spawn" => return spawn(id?, arguments),
        b"verb" => {
            one(arguments, Verb::decode).and_then(|verb| Ok(Command::Verb { id: id?, verb }))
        }
        b"sync" => none(arguments).and_then(|()| Ok(Command::Sync { id: id? })),
        b"proceed" => none(arguments).and_then(|()| Ok(Command::Proceed { id: id? })),
        b"abort" => none(arguments).and_then(|()| Ok(Command::Abort { id: id? })),
        b"signal" => {
            one(arguments, signal).and_then(|signal| Ok(Command::Signal { id: id?, signal }))
        }
        b"stop" => one(arguments, value::milliseconds)
            .and_then(|grace| Ok(Command::Stop { id: id?, grace })),
        b"orphan" => none(arguments).and_then(|()| Ok(Command::Orphan { id: id? })),
        b"write" => {
            one(arguments, value::binary).and_then(|bytes| Ok(Command::Write { id: id?, bytes }))
        }
        b"close_stdin" => none(arguments).and_then(|()| Ok(Command::CloseStdin { id: id? })),
        b"winsize" => one(arguments, value::size)
            .and_then(|winsize| Ok(Command::Winsize { id: id?, winsize })),
        b"ack" => {
            one(arguments, value::integer).and_then(|bytes| Ok(Command::Ack { id: id?, bytes }))
        }
        b"kill_leftover" => kill_leftover(arguments),
        _ => return Err(Failure::Name),
    }
    .map_err(Failure::from)
}

fn spawn(id: u64, arguments: Elements<'_>) -> Result<Command<'_>, Failure> {
    let spec = one(arguments, Ok)?;
    let spec = SpawnSpec::decode(spec).map_err(|_| Failure::Spec { id })?;
    Ok(Command::Spawn {
        id,
        spec: Box::new(spec),
    })
}

fn kill_leftover(arguments: Elements<'_>) -> Decoded<Command<'_>> {
    let [pid, grace, ago] = value::exact(arguments)?;
    Ok(Command::KillLeftover {
        pid: value::pid(pid)?,
        grace: value::milliseconds(grace)?,
        ago: value::milliseconds(ago)?,
    })
}

fn signal(term: Term<'_>) -> Decoded<i32> {
    value::integer_where(term, |signal| (1..=64).contains(signal))
}

fn none(arguments: Elements<'_>) -> Decoded<()> {
    let [] = value::exact(arguments)?;
    Ok(())
}

fn one<'a, T>(arguments: Elements<'a>, decode: impl FnOnce(Term<'a>) -> Decoded<T>) -> Decoded<T> {
    let [argument] = value::exact(arguments)?;
    decode(argument)
}
