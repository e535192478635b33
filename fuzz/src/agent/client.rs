//! An agent in this process, and a client that holds it to the protocol.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use linx_agent::wire::{Frame, FrameBuffer};
use linx_agent::Service;
use linx_sys::child::Launch;
use linx_sys::fd;
use linx_sys::process::Quiet;
use nix::errno::Errno;

use super::model::Model;
use super::term::{int, tagged};

/// How long anything may take that needs no more than a few milliseconds of a processor.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the agent is told has passed while nothing happens.
const LEAP: Duration = Duration::from_millis(60);
/// Credit enough for all that is still to come.
const PLENTY: u64 = 1 << 50;

/// Both ends of the conversation. They take turns, since there is one thread.
pub struct Client {
    service: Service,
    to: Option<OwnedFd>,
    from: Option<OwnedFd>,
    unsent: Vec<u8>,
    frames: FrameBuffer,
    pub model: Model,
    /// The client leaves what it is told where it is.
    pub deaf: bool,
    over: bool,
}

impl Client {
    pub fn new(quiet: Quiet, launch: Launch) -> Result<Client, Errno> {
        let (input, to) = fd::pipe()?;
        let (from, output) = fd::pipe()?;
        fd::set_nonblocking(&to)?;
        fd::set_nonblocking(&from)?;
        Ok(Client {
            service: Service::new(quiet, launch, input, output)?,
            to: Some(to),
            from: Some(from),
            unsent: Vec::new(),
            frames: FrameBuffer::new(),
            model: Model::default(),
            deaf: false,
            over: false,
        })
    }

    /// Has a frame and its fence sent.
    pub fn send(&mut self, frame: &[u8]) {
        let fence = self.model.send(frame);
        for frame in [frame, &fence] {
            self.unsent.extend((frame.len() as u32).to_be_bytes());
            self.unsent.extend(frame);
        }
    }

    /// Gives the agent at most `count` bytes of what is to be sent.
    pub fn give(&mut self, count: usize) {
        let part = &self.unsent[..count.min(self.unsent.len())];
        let Some(to) = self.to.as_ref().filter(|_| !part.is_empty()) else {
            return;
        };
        match fd::write(to, &[IoSlice::new(part)]) {
            Ok(written) => drop(self.unsent.drain(..written)),
            Err(Errno::EAGAIN) => {}
            Err(_) => self.to = None,
        }
    }

    /// One turn of the agent, which waits at most so many milliseconds. `true` if it told something.
    pub fn turn(&mut self, patience: u16) -> bool {
        self.give(usize::MAX);
        if !self.over {
            match self.service.turn(Some(patience)) {
                Ok(goes_on) => self.over = !goes_on,
                Err(errno) => self.model.fail(&format!("the agent failed: {errno}")),
            }
        }
        !self.deaf && self.listen()
    }

    /// Takes what the agent has told.
    fn listen(&mut self) -> bool {
        let mut heard = false;
        while let Some(from) = &self.from {
            match fd::read(from, self.frames.space()) {
                Ok(count @ 1..) => self.frames.advance(count),
                _ => break,
            }
            while let Some(frame) = self.frames.next_frame() {
                let Frame::Whole(frame) = frame else {
                    self.model.fail("a frame that is too large");
                };
                self.model.tell(frame);
                heard = true;
            }
        }
        heard
    }

    /// Time passes for the agent.
    pub fn pass(&mut self) {
        self.service.skip(LEAP);
    }

    /// Turns until `done`; time passes for the agent while it has nothing to tell.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Client) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            if !self.turn(1) {
                self.pass();
            }
            if Instant::now() > end {
                self.model.fail(&format!("waited for ever for {what}"));
            }
        }
    }

    /// Ends every session and sees its terminal event.
    pub fn finish(&mut self) {
        self.deaf = false;
        self.until("answers", |client| client.model.is_settled());
        for id in self.model.open() {
            self.send(&tagged("ack", [int(id), int(PLENTY)]).encode());
            self.send(&tagged("stop", [int(id), int(0)]).encode());
        }
        self.until("the end of all sessions", |client| {
            client.model.is_settled() && client.model.open().is_empty()
        });
    }

    /// Goes away; the agent ends what it has to end, and leaves. With `abruptly` the client is not there to listen to that.
    pub fn leave(mut self, abruptly: bool) -> Model {
        self.give(usize::MAX);
        self.to = None;
        self.deaf = false;
        if abruptly {
            self.from = None;
        }
        self.until("the agent's end", |client| client.over);
        self.model
    }
}
