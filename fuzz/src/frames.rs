//! The agent's side of the protocol.

use linx_agent::wire::{decode, Command, Event, Frame, FrameBuffer, Refusal};

/// A stream of frames: however it is cut, the same frames come out, and each is answered.
///
/// The first byte is the size of the pieces.
pub fn stream(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let frames = split(stream, usize::from(*piece) + 1);
    assert_eq!(frames, split(stream, usize::MAX));
    let told: usize = frames.iter().flatten().map(|frame| frame.len() + 4).sum();
    assert!(told <= stream.len());
    for frame in frames.iter().flatten() {
        command(frame);
    }
}

/// One frame: a command that holds nothing but what the frame gave it, or a refusal that can be
/// told to the client. No command goes on after its end.
pub fn command(data: &[u8]) {
    match decode(data) {
        Ok(command) => {
            assert!(weight(&command) <= data.len());
            let padded = [data, &[0]].concat();
            assert!(decode(&padded).is_err());
            let cut = data.split_last().map_or(data, |(_, front)| front);
            assert!(decode(cut).is_err());
        }
        Err(Refusal::Spawn { id }) => assert!(data.len() > 10, "{id}"),
        Err(Refusal::Fault { id, reason }) => {
            let mut answer = Vec::new();
            Event::Fault { id, reason }.encode(&mut answer);
            assert!(!answer.is_empty());
        }
    }
}

/// How many things a command holds.
fn weight(command: &Command<'_>) -> usize {
    match command {
        Command::Spawn { spec, .. } => {
            spec.argv.len() + spec.env.as_ref().map_or(0, Vec::len) + spec.verbs.len()
        }
        Command::Write { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

/// The frames of a stream read in pieces; `None` stands for one that was too large.
fn split(stream: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
    let mut buffer = FrameBuffer::new();
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let space = buffer.space();
        let (now, later) = rest.split_at(space.len().min(piece).min(rest.len()));
        assert!(!now.is_empty());
        space[..now.len()].copy_from_slice(now);
        buffer.advance(now.len());
        rest = later;
        while let Some(frame) = buffer.next_frame() {
            frames.push(match frame {
                Frame::Whole(bytes) => Some(bytes.to_vec()),
                Frame::TooLarge => None,
            });
        }
    }
    frames
}
