//! What flows between a workload and the client.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::OwnedFd;

use linx_sys::fd::{self, EpollFlags, Size};
use nix::errno::Errno;

use crate::host::{Host, Kind, Token, CHUNK};
use crate::wire::{Event, Stream};

/// Most that is still read from a terminal whose workload has ended; its buffers hold less.
const TERMINAL_REST: usize = 1 << 20;

/// One output of a workload: the read end of a pipe, or the master of a terminal.
pub struct Output {
    fd: OwnedFd,
    stream: Stream,
    watched: bool,
    /// The far end is closed.
    ended: bool,
    /// Bytes still to be taken once the workload has ended; what comes later is its descendants'.
    rest: Option<usize>,
}

/// What reading an output came to.
#[derive(PartialEq, Eq)]
enum Taken {
    /// Some bytes; there may be more.
    Some,
    /// Nothing now.
    Nothing,
    /// It has to wait for credit or for the way to the client.
    Held,
}

impl Output {
    pub fn new(fd: OwnedFd, stream: Stream) -> Result<Self, Errno> {
        fd::set_nonblocking(&fd)?;
        Ok(Output {
            fd,
            stream,
            watched: false,
            ended: false,
            rest: None,
        })
    }

    /// Whether nothing more is to come.
    fn is_done(&self) -> bool {
        self.ended || self.rest == Some(0)
    }

    /// Reads once into the way to the client, or into nowhere if nobody listens.
    fn take(&mut self, host: &mut Host, id: Option<u64>, credit: &mut u64) -> Taken {
        let allowed = match id {
            Some(_) if host.outbox.is_full() => 0,
            Some(_) => usize::try_from(*credit).unwrap_or(CHUNK),
            None => CHUNK,
        };
        let size = allowed.min(CHUNK).min(self.rest.unwrap_or(CHUNK));
        if size == 0 {
            return Taken::Held;
        }
        let Some(buffer) = host.scratch.get_mut(..size) else {
            return Taken::Held;
        };
        match fd::read(&self.fd, buffer) {
            Err(Errno::EAGAIN) => return Taken::Nothing,
            // EIO: the last descriptor of the terminal's other side is closed.
            Ok(0) | Err(_) => {
                self.ended = true;
                return Taken::Nothing;
            }
            Ok(read) => {
                if let (Some(id), Some(payload)) = (id, host.scratch.get(..read)) {
                    host.outbox.output(id, self.stream, payload);
                    *credit = credit.saturating_sub(read as u64);
                }
                self.rest = self.rest.map(|rest| rest.saturating_sub(read));
            }
        }
        Taken::Some
    }

    fn set_watched(&mut self, host: &Host, token: Token, watched: bool) {
        if watched && !self.watched {
            self.watched = host.watch(&self.fd, EpollFlags::EPOLLIN, token).is_ok();
        } else if !watched && self.watched {
            host.forget(&self.fd);
            self.watched = false;
        }
    }
}

/// The way to a workload's stdin or terminal.
pub struct Input {
    fd: OwnedFd,
    waiting: VecDeque<u8>,
    watched: bool,
    /// Close when everything has been written.
    closing: bool,
    /// The workload has closed its end: what is written is thrown away.
    broken: bool,
}

impl Input {
    pub fn new(fd: OwnedFd) -> Result<Self, Errno> {
        fd::set_nonblocking(&fd)?;
        let waiting = VecDeque::new();
        Ok(Input {
            fd,
            waiting,
            watched: false,
            closing: false,
            broken: false,
        })
    }

    /// Takes bytes that wait behind the others or, where there are none, goes to the workload with them at once, from
    /// where they are. Returns how many have left.
    fn take_in(&mut self, bytes: &[u8]) -> usize {
        let left = if self.waiting.is_empty() {
            self.give(bytes, &[]).unwrap_or(0)
        } else {
            0
        };
        if self.broken {
            return bytes.len();
        }
        self.waiting.extend(bytes.get(left..).unwrap_or_default());
        left
    }

    /// Writes what the workload takes; returns how many bytes have left.
    fn flush(&mut self) -> usize {
        let before = self.waiting.len();
        let mut waiting = std::mem::take(&mut self.waiting);
        while !waiting.is_empty() {
            let (first, second) = waiting.as_slices();
            match self.give(first, second) {
                Some(given) => drop(waiting.drain(..given)),
                None => break,
            }
        }
        if self.broken {
            waiting.clear();
        }
        if waiting.is_empty() {
            waiting.shrink_to(CHUNK);
        }
        self.waiting = waiting;
        before - self.waiting.len()
    }

    /// One write; `None` when the workload takes nothing, now or ever.
    fn give(&mut self, first: &[u8], second: &[u8]) -> Option<usize> {
        if self.broken {
            return None;
        }
        match fd::write(&self.fd, &[IoSlice::new(first), IoSlice::new(second)]) {
            Ok(given) => Some(given),
            Err(Errno::EAGAIN) => None,
            Err(_) => {
                self.broken = true;
                None
            }
        }
    }
}

/// Everything that flows between one workload and the client.
pub struct Streams {
    pub outputs: [Option<Output>; 2],
    pub input: Option<Input>,
    /// The terminal's master, beside its use as input and output.
    pub terminal: bool,
    /// Bytes of output that may be sent before the client acknowledges.
    pub credit: u64,
}

impl Streams {
    /// Starts watching the outputs. Before exec nothing can come, so it is early enough then.
    pub fn open(&mut self, host: &Host, key: u64) {
        for (i, output) in self.outputs.iter_mut().enumerate() {
            if let Some(output) = output {
                output.set_watched(host, Token::new(key, Kind::Output(i)), true);
            }
        }
    }

    /// One output is readable. `id` is `None` if nobody listens.
    pub fn take(&mut self, host: &mut Host, key: u64, which: usize, id: Option<u64>) {
        let Some(Some(output)) = self.outputs.get_mut(which) else {
            return;
        };
        let taken = output.take(host, id, &mut self.credit);
        let token = Token::new(key, Kind::Output(which));
        if taken == Taken::Held || output.ended {
            output.set_watched(host, token, false);
            if host.outbox.is_full() {
                host.starved.push(key);
            }
        }
    }

    /// More may be sent again: an acknowledgement came, or the way to the client has cleared.
    pub fn resume(&mut self, host: &Host, key: u64) {
        for (i, output) in self.outputs.iter_mut().enumerate() {
            if let Some(output) = output.as_mut().filter(|output| !output.is_done()) {
                output.set_watched(host, Token::new(key, Kind::Output(i)), true);
            }
        }
    }

    /// The workload has ended: only what it has written already is still to come.
    pub fn finish(&mut self, host: &Host, key: u64) {
        self.end_input(host);
        for (i, output) in self.outputs.iter_mut().enumerate() {
            let Some(output) = output else { continue };
            output.set_watched(host, Token::new(key, Kind::Output(i)), false);
            let rest = match output.stream {
                Stream::Pty => TERMINAL_REST,
                Stream::Stdout | Stream::Stderr => fd::readable_bytes(&output.fd).unwrap_or(0),
            };
            output.rest = Some(rest);
        }
    }

    /// After [`Streams::finish`]: takes what is left as far as it may be sent; `true` when that was all.
    pub fn drain(&mut self, host: &mut Host, key: u64, id: Option<u64>) -> bool {
        for which in 0..self.outputs.len() {
            let Some(Some(output)) = self.outputs.get_mut(which) else {
                continue;
            };
            while !output.is_done() {
                match output.take(host, id, &mut self.credit) {
                    Taken::Some => {}
                    Taken::Nothing => output.rest = Some(0),
                    Taken::Held => {
                        if host.outbox.is_full() {
                            host.starved.push(key);
                        }
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Bytes for the workload.
    pub fn write(&mut self, host: &mut Host, key: u64, id: Option<u64>, bytes: &[u8]) {
        if let Some(input) = &mut self.input {
            let left = input.take_in(bytes);
            self.tell_input(host, key, id, left);
        }
    }

    /// No more bytes for the workload after those that wait.
    pub fn close_input(&mut self, host: &mut Host, key: u64, id: Option<u64>) {
        if let Some(input) = &mut self.input {
            input.closing = true;
            self.flush(host, key, id);
        }
    }

    /// Writes what the workload takes now.
    pub fn flush(&mut self, host: &mut Host, key: u64, id: Option<u64>) {
        if let Some(input) = &mut self.input {
            let left = input.flush();
            self.tell_input(host, key, id, left);
        }
    }

    /// Tells how much of the input has left, and sees to what has not.
    fn tell_input(&mut self, host: &mut Host, key: u64, id: Option<u64>, left: usize) {
        let Some(input) = &mut self.input else { return };
        if let (Some(id), true) = (id, left > 0) {
            host.outbox.event(Event::Written {
                id,
                bytes: left as u64,
            });
        }
        let wanted = !input.waiting.is_empty();
        if wanted && !input.watched {
            let token = Token::new(key, Kind::Input);
            input.watched = host.watch(&input.fd, EpollFlags::EPOLLOUT, token).is_ok();
        } else if !wanted && input.watched {
            host.forget(&input.fd);
            input.watched = false;
        }
        if input.closing && !wanted {
            self.input = None;
        }
    }

    /// Closes the way to the workload.
    pub fn end_input(&mut self, host: &Host) {
        if let Some(input) = self.input.take() {
            host.close(input.fd);
        }
    }

    /// Whether there is a stdin that can be written to and closed.
    pub fn has_stdin(&self) -> bool {
        self.input.as_ref().is_some_and(|input| !input.closing) && !self.terminal
    }

    /// Resizes the terminal.
    pub fn resize(&self, size: Size) -> Result<(), Errno> {
        match &self.outputs {
            [Some(output), _] if self.terminal => fd::set_winsize(&output.fd, size),
            _ => Err(Errno::ENOTTY),
        }
    }
}
