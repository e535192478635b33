//! Why a frame was refused.

use thiserror::Error;

/// The reasons of a `{fault, Id, Reason}` frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// Not a term of the protocol, or not a command's shape.
    #[error("malformed")]
    Malformed,
    /// Longer than 16 MiB.
    #[error("too large")]
    TooLarge,
    /// A command this protocol does not have.
    #[error("unknown command")]
    UnknownCommand,
    /// An argument out of its range or of the wrong type.
    #[error("bad argument")]
    BadArgument,
    /// No session has this id.
    #[error("unknown session")]
    UnknownSession,
    /// A session has this id already.
    #[error("id in use")]
    IdInUse,
    /// The session has left the checkpoint.
    #[error("not parked")]
    NotParked,
    /// The session has not reached `running`.
    #[error("not running")]
    NotRunning,
    /// The session's stdin is not a pipe.
    #[error("no stdin")]
    NoStdin,
    /// The session has no pty.
    #[error("no pty")]
    NoPty,
}

impl Reason {
    /// The atom that names the reason on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::UnknownCommand => "unknown_command",
            Self::BadArgument => "bad_argument",
            Self::UnknownSession => "unknown_session",
            Self::IdInUse => "id_in_use",
            Self::NotParked => "not_parked",
            Self::NotRunning => "not_running",
            Self::NoStdin => "no_stdin",
            Self::NoPty => "no_pty",
        }
    }
}

/// A frame that is no command, and how to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Answered by `{fault, Id, Reason}`; no id where the frame did not tell one.
    #[error("frame refused: {reason}")]
    Fault {
        /// The session the frame named.
        id: Option<u64>,
        /// What was wrong.
        reason: Reason,
    },
    /// A spawn frame whose spec is wrong: answered by `{error, Id, 22, protocol}`.
    #[error("session {id}: bad spawn spec")]
    Spawn {
        /// The session that will not start.
        id: u64,
    },
}
