//! What every session works with: the poller, the launcher, the way to the client, the clock.

use std::os::fd::{AsFd, OwnedFd};

use linx_sys::child::Launcher;
use linx_sys::fd::{EpollFlags, Poller};
use linx_sys::tree::Snapshot;
use nix::errno::Errno;

use crate::port::Outbox;
use crate::strays::Strays;
use crate::timers::Timers;

/// Most bytes of output in one frame.
pub const CHUNK: usize = 64 * 1024;

/// Which descriptor of a session an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Control,
    Process,
    Intermediate,
    Input,
    Output(usize),
}

/// What an event is about: a session's key and which of its descriptors, as one number for the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub key: u64,
    pub kind: Kind,
}

impl Token {
    const KINDS: [Kind; 6] = [
        Kind::Control,
        Kind::Process,
        Kind::Intermediate,
        Kind::Input,
        Kind::Output(0),
        Kind::Output(1),
    ];

    pub fn new(key: u64, kind: Kind) -> Self {
        Token { key, kind }
    }

    pub fn number(self) -> u64 {
        let kind = Self::KINDS.iter().position(|kind| *kind == self.kind);
        self.key << 3 | kind.unwrap_or(0) as u64
    }

    pub fn from_number(number: u64) -> Option<Self> {
        let kind = *Self::KINDS.get((number & 7) as usize)?;
        Some(Token {
            key: number >> 3,
            kind,
        })
    }
}

/// Shared by all sessions; only one is served at a time.
pub struct Host {
    pub poller: Poller,
    pub launcher: Launcher,
    pub outbox: Outbox,
    pub timers: Timers,
    pub strays: Strays,
    /// All processes, as they were last looked at in this turn of the loop.
    pub seen: Option<Snapshot>,
    /// Sessions whose output waits for the way to the client to clear.
    pub starved: Vec<u64>,
    /// Where output is read to on its way.
    pub scratch: Box<[u8; CHUNK]>,
}

impl Host {
    /// All processes, looked at once in a turn of the loop at most.
    pub fn snapshot(&mut self) -> &Snapshot {
        self.seen.get_or_insert_with(Snapshot::take)
    }

    pub fn watch(&self, fd: impl AsFd, flags: EpollFlags, token: Token) -> Result<(), Errno> {
        self.poller.watch(fd, flags, token.number())
    }

    /// Closes one that may be watched. Closing alone does not end that while a child that has not begun to run has a
    /// copy, and an event that nobody takes would turn the loop in circles.
    pub fn close(&self, fd: OwnedFd) {
        self.forget(&fd);
    }

    /// Stops watching; one that was not watched stays so.
    pub fn forget(&self, fd: impl AsFd) {
        let _ = self.poller.forget(fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_their_number() {
        for kind in Token::KINDS {
            let token = Token::new(7, kind);
            assert_eq!(Token::from_number(token.number()), Some(token));
        }
        assert_eq!(Token::from_number(7), None);
    }
}
