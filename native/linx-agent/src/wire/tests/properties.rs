//! Random bytes, damaged frames, random cuts.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, Index};

use super::commands;
use super::frames::{framed, split};
use crate::wire::{decode, Command, Event, FrameBuffer, Refusal};

fn valid_frame() -> impl Strategy<Value = Vec<u8>> {
    let frames: Vec<Vec<u8>> = commands()
        .into_iter()
        .flat_map(|(_, encodings)| encodings)
        .collect();
    select(frames)
}

/// Every tag the reader knows, and lengths small enough to be met.
fn tag_or_length() -> impl Strategy<Value = u8> {
    select(b"abdhijklmnstvw\x00\x01\x02\x08".to_vec())
}

/// How many things a command holds: none may come from anywhere but the frame.
fn weight(command: &Command<'_>) -> usize {
    match command {
        Command::Spawn { spec, .. } => {
            spec.argv.len() + spec.env.as_ref().map_or(0, Vec::len) + spec.verbs.len()
        }
        Command::Write { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

fn answerable(frame: &[u8]) -> Result<(), TestCaseError> {
    match decode(frame) {
        Ok(command) => prop_assert!(weight(&command) <= frame.len()),
        Err(Refusal::Spawn { .. }) => prop_assert!(frame.len() > 10),
        Err(Refusal::Fault { id, reason }) => {
            let mut answer = Vec::new();
            Event::Fault { id, reason }.encode(&mut answer);
            prop_assert!(!answer.is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        answerable(&bytes)?;
    }

    #[test]
    fn random_terms_are_answered(tags in vec(tag_or_length(), 0..200)) {
        answerable(&[&[131, 104, 3], tags.as_slice()].concat())?;
    }

    #[test]
    fn damaged_frames_are_answered(
        mut frame in valid_frame(),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        for (at, byte) in damage {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        answerable(&frame)?;
        answerable(&frame[..cut.index(frame.len())])?;
    }

    #[test]
    fn a_frame_cut_short_or_padded_is_never_a_command(
        frame in valid_frame(),
        cut in any::<Index>(),
        pad in any::<u8>(),
    ) {
        prop_assert!(decode(&frame).is_ok());
        prop_assert!(decode(&frame[..cut.index(frame.len())]).is_err());
        prop_assert!(decode(&[frame.as_slice(), &[pad]].concat()).is_err());
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_frames(
        bodies in vec(vec(any::<u8>(), 0..300), 0..20),
        piece in 1usize..400,
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        let frames = split(&mut FrameBuffer::new(), &stream, piece);
        prop_assert_eq!(frames.into_iter().collect::<Option<Vec<_>>>(), Some(bodies));
    }

    #[test]
    fn any_stream_can_be_split(stream in vec(0u8..3, 0..2000), piece in 1usize..400) {
        let frames = split(&mut FrameBuffer::new(), &stream, piece);
        prop_assert!(frames.len() <= stream.len() / 4);
    }
}
