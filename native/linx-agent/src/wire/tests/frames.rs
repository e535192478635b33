//! The splitter.

use crate::wire::{Frame, FrameBuffer};

const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Feeds `stream` in pieces of at most `piece` bytes; `None` in the result stands for too large.
pub fn split(buffer: &mut FrameBuffer, stream: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let space = buffer.space();
        let taken = space.len().min(piece).min(rest.len());
        assert!(taken > 0);
        space[..taken].copy_from_slice(&rest[..taken]);
        buffer.advance(taken);
        rest = &rest[taken..];
        while let Some(frame) = buffer.next_frame() {
            frames.push(match frame {
                Frame::Whole(bytes) => Some(bytes.to_vec()),
                Frame::TooLarge => None,
            });
        }
    }
    frames
}

pub fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

#[test]
fn frames_arrive_whole_however_the_stream_is_cut() {
    let bodies = [
        vec![],
        vec![1],
        vec![2; 100],
        vec![],
        vec![3; 70_000],
        vec![4; 65_532],
    ];
    let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
    for piece in [1, 3, 4, 5, 1000, 65_536, usize::MAX] {
        let frames = split(&mut FrameBuffer::new(), &stream, piece);
        assert!(frames.iter().flatten().eq(&bodies), "{piece}");
        assert_eq!(frames.len(), bodies.len());
    }
}

#[test]
fn the_largest_frame_passes_and_one_byte_more_is_skipped() {
    let over = vec![9; MAX_FRAME + 1];
    let stream = [framed(&over[1..]), framed(&over), framed(b"next")].concat();
    let frames = split(&mut FrameBuffer::new(), &stream, 65_536);
    assert_eq!(frames[0].as_ref().map(Vec::len), Some(MAX_FRAME));
    assert_eq!(frames[1..], [None, Some(b"next".to_vec())]);
}

#[test]
fn an_over_long_frame_takes_no_memory() {
    let mut buffer = FrameBuffer::new();
    let empty = buffer.space().len();
    let header = u32::MAX.to_be_bytes();
    assert_eq!(split(&mut buffer, &header, 4), [None]);
    for _ in 0..100 {
        assert!(split(&mut buffer, &[0; 65_536], usize::MAX).is_empty());
        assert_eq!(buffer.space().len(), empty);
    }
}

#[test]
fn a_promised_length_takes_no_memory() {
    let mut buffer = FrameBuffer::new();
    let empty = buffer.space().len();
    let header = (MAX_FRAME as u32).to_be_bytes();
    assert!(split(&mut buffer, &header, 4).is_empty());
    assert!(buffer.space().len() <= empty);
}

#[test]
fn memory_comes_back_after_a_large_frame() {
    let mut buffer = FrameBuffer::new();
    let empty = buffer.space().len();
    let stream = framed(&vec![0; MAX_FRAME]);
    assert_eq!(split(&mut buffer, &stream, 65_536).len(), 1);
    assert_eq!(buffer.space().len(), empty);
    let tail = [&framed(&vec![0; MAX_FRAME]), [0, 0, 0, 9, 1].as_slice()].concat();
    assert_eq!(split(&mut buffer, &tail, 65_536).len(), 1);
    assert_eq!(buffer.space().len(), empty - 5);
    assert_eq!(split(&mut buffer, &[1; 8], 8), [Some(vec![1; 9])]);
}

#[test]
fn more_than_there_was_space_for_is_not_believed() {
    let mut buffer = FrameBuffer::new();
    buffer.advance(usize::MAX);
    while buffer.next_frame().is_some() {}
    assert!(!buffer.space().is_empty());
}
