//! The first line of scripts.

use linx_sys::exec_file::{self, HEADER_SIZE};

/// The interpreter of a script: the one that the kernel finds.
pub fn interpreter(data: &[u8]) {
    let header = &data[..data.len().min(HEADER_SIZE)];
    let mut buffer = [0; HEADER_SIZE];
    buffer[..header.len()].copy_from_slice(header);
    assert_eq!(exec_file::interpreter(header), kernels(&buffer));
}

/// `load_script` of the kernel's fs/binfmt_script.c, step by step. An empty name leads to no file, so that such a script cannot
/// be executed either.
fn kernels(buffer: &[u8; HEADER_SIZE]) -> Option<&[u8]> {
    if !buffer.starts_with(b"#!") {
        return None;
    }
    let text = buffer.split(|byte| *byte == 0).next()?;
    let mut end = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => end,
        None => {
            let start = next_non_spacetab(buffer, 2, HEADER_SIZE - 1)?;
            next_terminator(buffer, start, HEADER_SIZE - 1)?;
            HEADER_SIZE - 1
        }
    };
    while spacetab(buffer[end - 1]) {
        end -= 1;
    }
    let name = next_non_spacetab(buffer, 2, end).filter(|name| *name != end)?;
    let separator = next_terminator(buffer, name, end).unwrap_or(end);
    Some(&buffer[name..separator]).filter(|name| !name.is_empty())
}

fn spacetab(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn next_non_spacetab(buffer: &[u8], first: usize, last: usize) -> Option<usize> {
    (first..=last).find(|at| !spacetab(buffer[*at]))
}

fn next_terminator(buffer: &[u8], first: usize, last: usize) -> Option<usize> {
    (first..=last).find(|at| spacetab(buffer[*at]) || buffer[*at] == 0)
}
