//! The two pipes to the client.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use linx_sys::fd;
use nix::errno::Errno;

use crate::wire::{output_prefix, Event, Frame, FrameBuffer, Stream};

/// A frame of output and its header fit more than once, so that neither side waits for the other with each.
const PIPE: i32 = 256 * 1024;

/// Output waits in the workloads' own pipes while this much is on its way to the client.
const ENOUGH: usize = 1 << 20;

/// The client has closed its end, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HungUp;

/// Frames from the client.
pub struct Inbox {
    fd: OwnedFd,
    frames: FrameBuffer,
}

impl Inbox {
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        fd::set_nonblocking(&fd)?;
        fd::widen_pipe(&fd, PIPE);
        Ok(Inbox {
            fd,
            frames: FrameBuffer::new(),
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Reads once, as much as there is room for.
    pub fn fill(&mut self) -> Result<(), HungUp> {
        match fd::read(&self.fd, self.frames.space()) {
            Ok(0) => Err(HungUp),
            Ok(read) => {
                self.frames.advance(read);
                Ok(())
            }
            Err(Errno::EAGAIN) => Ok(()),
            Err(_) => Err(HungUp),
        }
    }

    /// The next frame that has arrived whole.
    pub fn next(&mut self) -> Option<Frame<'_>> {
        self.frames.next_frame()
    }
}

/// Frames to the client. They are gathered and go out together.
pub struct Outbox {
    fd: OwnedFd,
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        fd::set_nonblocking(&fd)?;
        fd::widen_pipe(&fd, PIPE);
        Ok(Outbox {
            fd,
            bytes: Vec::new(),
            sent: 0,
        })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub fn event(&mut self, event: Event<'_>) {
        event.encode(&mut self.bytes);
    }

    /// Output goes out at once, from where it is, unless something is before it.
    pub fn output(&mut self, id: u64, stream: Stream, payload: &[u8]) {
        let first = self.bytes.is_empty();
        output_prefix(&mut self.bytes, id, stream, payload.len() as u32);
        let prefix = self.bytes.len();
        let sent = if first {
            // A client that has hung up is noticed by the next flush.
            fd::write(
                &self.fd,
                &[IoSlice::new(&self.bytes), IoSlice::new(payload)],
            )
            .unwrap_or(0)
        } else {
            0
        };
        let rest = payload
            .get(sent.saturating_sub(prefix)..)
            .unwrap_or_default();
        self.bytes.extend_from_slice(rest);
        if first {
            self.sent = sent.min(prefix);
        }
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
    }

    /// Whether output should wait where it is until the client has taken some.
    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.sent >= ENOUGH
    }

    /// Whether the client has not taken its frames for so long that it should not be given cause for more.
    pub fn is_clogged(&self) -> bool {
        self.bytes.len() - self.sent >= 8 * ENOUGH
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes what the pipe takes.
    pub fn flush(&mut self) -> Result<(), HungUp> {
        while let Some(rest) = self.bytes.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match fd::write(&self.fd, &[IoSlice::new(rest)]) {
                Ok(written) => self.sent += written,
                Err(Errno::EAGAIN) => {
                    self.compact();
                    return Ok(());
                }
                Err(_) => return Err(HungUp),
            }
        }
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > 2 * ENOUGH {
            self.bytes.shrink_to(ENOUGH);
        }
        Ok(())
    }

    /// Gives up the part that is sent once it is the larger one.
    fn compact(&mut self) {
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}
