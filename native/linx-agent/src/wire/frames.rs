//! Splitting a byte stream into `{packet, 4}` frames.

use std::ops::Range;

/// The longest frame, in bytes after the length header.
const MAX_FRAME: usize = 16 * 1024 * 1024;
/// The least room offered for one read, and what the buffer shrinks back to.
const READ: usize = 64 * 1024;
const HEADER: usize = 4;

/// What the stream held next.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A frame's bytes, without the length header.
    Whole(&'a [u8]),
    /// A frame over 16 MiB was announced; its bytes will be dropped as they come.
    TooLarge,
}

/// Reassembles frames from a stream read in pieces of any size.
///
/// The buffer grows with the bytes that arrived, never with what a length header promises, and gives
/// the memory back once a large frame is done with.
#[derive(Debug)]
pub struct FrameBuffer {
    /// All of it initialised; `pending` is what was read and not yet taken.
    bytes: Vec<u8>,
    pending: Range<usize>,
    /// Bytes of an over-long frame still to be dropped.
    dropping: usize,
}

impl Default for FrameBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; READ],
            pending: 0..0,
            dropping: 0,
        }
    }

    /// Room for the next read: never empty. Say with [`FrameBuffer::advance`] how much of it was used.
    pub fn space(&mut self) -> &mut [u8] {
        if self.bytes.len() - self.pending.end < READ && self.pending.start > 0 {
            self.move_to_front();
        }
        if self.bytes.len() == self.pending.end {
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        self.bytes.get_mut(self.pending.end..).unwrap_or_default()
    }

    /// Takes the first `read` bytes of the last [`FrameBuffer::space`] as read from the stream.
    pub fn advance(&mut self, read: usize) {
        self.pending.end = self.pending.end.saturating_add(read).min(self.bytes.len());
    }

    /// The next frame, or `None` until more was read.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        match self.step() {
            Step::Whole(range) => self.bytes.get(range).map(Frame::Whole),
            Step::TooLarge => Some(Frame::TooLarge),
            Step::Starved => {
                self.give_back();
                None
            }
        }
    }

    fn step(&mut self) -> Step {
        let dropped = self.dropping.min(self.pending.len());
        self.pending.start += dropped;
        self.dropping -= dropped;
        let unread = self.bytes.get(self.pending.clone()).unwrap_or_default();
        let Some((header, rest)) = unread.split_first_chunk::<HEADER>() else {
            return Step::Starved;
        };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            self.pending.start += HEADER;
            self.dropping = length;
            Step::TooLarge
        } else if length > rest.len() {
            Step::Starved
        } else {
            let start = self.pending.start + HEADER;
            self.pending.start = start + length;
            Step::Whole(start..start + length)
        }
    }

    /// Lets go of memory that a large frame needed and what is pending does not.
    fn give_back(&mut self) {
        if self.pending.is_empty() {
            self.pending = 0..0;
        }
        if self.bytes.len() > READ && self.pending.len() < self.bytes.len() / 8 {
            self.move_to_front();
            self.bytes.truncate(self.pending.end.max(READ));
            self.bytes.shrink_to_fit();
        }
    }

    fn move_to_front(&mut self) {
        self.bytes.copy_within(self.pending.clone(), 0);
        self.pending = 0..self.pending.len();
    }
}

enum Step {
    Whole(Range<usize>),
    TooLarge,
    Starved,
}
