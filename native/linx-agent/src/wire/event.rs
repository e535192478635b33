//! Agent to client: events as frames.

use super::etf::Writer;
use super::refusal::Reason;

/// The protocol's number, which the first frame tells.
const PROTOCOL: i32 = 1;

/// A frame to the client, but for `output`, which [`output_prefix`] writes. Numbers that the kernel
/// gives as C ints are `i32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event<'a> {
    /// The first frame. `launch` is `clone` or `fork`.
    Hello {
        version: &'a str,
        launch: &'static str,
        last_cap: i32,
        pid: i32,
    },
    /// Parked.
    Ready {
        id: u64,
        host_pid: i32,
        child_pid: i32,
    },
    /// Exec succeeded.
    Running { id: u64 },
    /// So many bytes of input have left the agent.
    Written { id: u64, bytes: u64 },
    /// Every verb before the sync is applied; the child's secure bits.
    Synced { id: u64, securebits: i32 },
    /// Ended by itself.
    Exited { id: u64, code: i32 },
    /// Ended by a signal.
    Signaled { id: u64, signal: i32 },
    /// Discarded at the checkpoint.
    Aborted { id: u64 },
    /// Failed before it ran; `stage` is an atom of the protocol's.
    Error {
        id: u64,
        errno: i32,
        stage: &'static str,
    },
    /// A frame was refused.
    Fault { id: Option<u64>, reason: Reason },
}

/// Which output of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
    /// The pseudo-terminal.
    Pty,
}

impl Stream {
    const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Pty => "pty",
        }
    }
}

impl Event<'_> {
    /// Appends the whole frame, length header included, to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame(out, 0, |term| match *self {
            Self::Hello {
                version,
                launch,
                last_cap,
                pid,
            } => {
                term.tuple(4)
                    .atom("hello")
                    .int(PROTOCOL)
                    .binary(version.as_bytes());
                term.map(3).atom("last_cap").int(last_cap);
                term.atom("launch").atom(launch).atom("pid").int(pid);
            }
            Self::Ready {
                id,
                host_pid,
                child_pid,
            } => {
                term.tuple(4)
                    .atom("ready")
                    .unsigned(id)
                    .int(host_pid)
                    .int(child_pid);
            }
            Self::Running { id } => plain(term, "running", id),
            Self::Written { id, bytes } => {
                term.tuple(3).atom("written").unsigned(id).unsigned(bytes);
            }
            Self::Synced { id, securebits } => {
                term.tuple(3).atom("synced").unsigned(id).int(securebits);
            }
            Self::Exited { id, code } => {
                term.tuple(3).atom("exited").unsigned(id).int(code);
            }
            Self::Signaled { id, signal } => {
                term.tuple(3).atom("signaled").unsigned(id).int(signal);
            }
            Self::Aborted { id } => plain(term, "aborted", id),
            Self::Error { id, errno, stage } => {
                term.tuple(4)
                    .atom("error")
                    .unsigned(id)
                    .int(errno)
                    .atom(stage);
            }
            Self::Fault { id, reason } => fault(term, id, reason),
        });
    }
}

/// Appends an `output` frame up to its payload, of which `length` bytes must follow in the stream.
pub fn output_prefix(out: &mut Vec<u8>, id: u64, stream: Stream, length: u32) {
    frame(out, length, |term| {
        term.tuple(4)
            .atom("output")
            .unsigned(id)
            .atom(stream.name())
            .binary_header(length);
    });
}

fn plain(term: &mut Writer<'_>, name: &'static str, id: u64) {
    term.tuple(2).atom(name).unsigned(id);
}

fn fault(term: &mut Writer<'_>, id: Option<u64>, reason: Reason) {
    term.tuple(3).atom("fault");
    match id {
        Some(id) => term.unsigned(id),
        None => term.atom("none"),
    };
    term.atom(reason.name());
}

/// Appends a frame whose length counts `following` bytes that come after what `write` writes.
fn frame(out: &mut Vec<u8>, following: u32, write: impl FnOnce(&mut Writer<'_>)) {
    let header = out.len();
    out.extend_from_slice(&[0; 4]);
    let body = out.len();
    write(&mut Writer::new(out));
    let written = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    let length = written.saturating_add(following).to_be_bytes();
    if let Some(slot) = out.get_mut(header..body) {
        slot.copy_from_slice(&length);
    }
}
