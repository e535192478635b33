//! The table of capability names, read from `capabilities.txt` by the compiler.
//!
//! Every function here runs at compile time only: a panic is a build that fails.
#![allow(clippy::indexing_slicing, clippy::panic)]

const TABLE: &str = include_str!("../capabilities.txt");

/// How many capabilities have a name here: bits `0..NAMED_COUNT`.
///
/// The running kernel may know fewer or more; that number is asked of the kernel, not of this
/// table (`PR_CAPBSET_READ` in prctl(2)).
pub const NAMED_COUNT: u8 = count_entries(TABLE);

/// The mask of every named capability, bit `n` for capability `n`.
pub const KNOWN_MASK: u64 = u64::MAX >> (64 - NAMED_COUNT as u32);

/// The name of capability `n` at index `n`.
pub(crate) const NAMES: [&str; NAMED_COUNT as usize] = parse_table(TABLE);

/// The bit of a name this crate's rules need; a misspelt one does not compile.
pub(crate) const fn bit_of(name: &str) -> u8 {
    let mut bit = 0;
    while bit < NAMED_COUNT {
        if bytes_equal(NAMES[bit as usize].as_bytes(), name.as_bytes()) {
            return bit;
        }
        bit += 1;
    }
    panic!("the table has no capability of this name")
}

const fn bytes_equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn count_entries(text: &str) -> u8 {
    let mut rest = text.as_bytes();
    let mut count = 0;
    while !rest.is_empty() {
        let (line, tail) = split_line(rest);
        if is_entry(line) {
            count += 1;
        }
        rest = tail;
    }
    count
}

const fn parse_table<const N: usize>(text: &'static str) -> [&'static str; N] {
    let mut names = [""; N];
    let mut rest = text.as_bytes();
    let mut next = 0;
    while !rest.is_empty() {
        let (line, tail) = split_line(rest);
        if is_entry(line) {
            let (bit, name) = parse_entry(line);
            assert!(bit == next, "capabilities.txt: bits ascend without a gap");
            names[next] = name;
            next += 1;
        }
        rest = tail;
    }
    names
}

const fn is_entry(line: &[u8]) -> bool {
    !line.is_empty() && line[0] != b'#'
}

/// Splits `12 cap_net_admin`.
const fn parse_entry(line: &'static [u8]) -> (usize, &'static str) {
    let mut bit = 0;
    let mut at = 0;
    while line[at] != b' ' {
        assert!(line[at].is_ascii_digit(), "capabilities.txt: `bit name`");
        bit = bit * 10 + (line[at] - b'0') as usize;
        at += 1;
    }
    match std::str::from_utf8(line.split_at(at + 1).1) {
        Ok(name) => (bit, name),
        Err(_) => panic!("capabilities.txt: names are ASCII"),
    }
}

const fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while end < text.len() && text[end] != b'\n' {
        end += 1;
    }
    let (line, rest) = text.split_at(end);
    match rest {
        [b'\n', tail @ ..] => (line, tail),
        _ => (line, rest),
    }
}
