//! The table of capability names, built at compile time from `capabilities.txt`.

const TABLE: &str = include_str!("../capabilities.txt");

/// How many capabilities have a name here: bits `0..NAMED_COUNT`.
///
/// The running kernel may know fewer or more; that number is asked of the kernel, not of this
/// table (`PR_CAPBSET_READ` in prctl(2)).
pub const NAMED_COUNT: u8 = count_entries(TABLE);

/// The mask of every named capability, bit `n` for capability `n`.
pub const KNOWN_MASK: u64 = u64::MAX >> (64 - NAMED_COUNT as u32);

const NAMES: [&str; NAMED_COUNT as usize] = parse_table(TABLE);

/// The names of capabilities(7), and the bits the rules of this crate speak of.
///
/// A capability itself is a bit number, `u8`: the kernel may report bits that have no name yet.
///
/// ```
/// use linx_caps::Cap;
/// assert_eq!(Cap::name(12), Some("cap_net_admin"));
/// assert_eq!(Cap::from_name("cap_net_admin"), Some(12));
/// assert_eq!(Cap::SETPCAP, 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {}

impl Cap {
    /// `cap_setgid`: groups may be changed at will.
    pub const SETGID: u8 = bit_of("cap_setgid");
    /// `cap_setuid`: user ids may be changed at will.
    pub const SETUID: u8 = bit_of("cap_setuid");
    /// `cap_setpcap`: bounding drops, inheritable raises, securebits.
    pub const SETPCAP: u8 = bit_of("cap_setpcap");
    /// `cap_sys_ptrace`: a tracer that holds it does not cost its tracee privilege at `execve`.
    pub const SYS_PTRACE: u8 = bit_of("cap_sys_ptrace");

    /// The name of a bit, lower case with its `cap_` prefix; `None` for a bit without a name.
    ///
    /// ```
    /// use linx_caps::Cap;
    /// assert_eq!(Cap::name(0), Some("cap_chown"));
    /// assert_eq!(Cap::name(63), None);
    /// ```
    pub fn name(bit: u8) -> Option<&'static str> {
        NAMES.get(usize::from(bit)).copied()
    }

    /// The bit of a name, which must be exact: lower case, prefix included.
    ///
    /// ```
    /// use linx_caps::Cap;
    /// assert_eq!(Cap::from_name("cap_checkpoint_restore"), Some(40));
    /// assert_eq!(Cap::from_name("CAP_CHOWN"), None);
    /// assert_eq!(Cap::from_name("chown"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<u8> {
        Self::names()
            .find(|(_, known)| *known == name)
            .map(|(bit, _)| bit)
    }

    /// Every bit with its name, ascending.
    ///
    /// ```
    /// use linx_caps::{Cap, NAMED_COUNT};
    /// assert_eq!(Cap::names().next(), Some((0, "cap_chown")));
    /// assert_eq!(Cap::names().count(), usize::from(NAMED_COUNT));
    /// ```
    pub fn names() -> impl Iterator<Item = (u8, &'static str)> {
        (0..).zip(NAMES)
    }
}

/// The bit of a name this crate's rules need; a misspelt one does not compile.
const fn bit_of(name: &str) -> u8 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_its_bit_and_back() {
        for (bit, name) in Cap::names() {
            assert!(name.starts_with("cap_"), "{name}");
            assert_eq!(Cap::from_name(name), Some(bit));
            assert_eq!(Cap::name(bit), Some(name));
        }
    }

    #[test]
    fn the_table_ends_where_the_mask_ends() {
        assert_eq!(Cap::name(NAMED_COUNT), None);
        assert_eq!(KNOWN_MASK.count_ones(), u32::from(NAMED_COUNT));
        assert_eq!(KNOWN_MASK.trailing_ones(), u32::from(NAMED_COUNT));
    }

    #[test]
    fn landmarks_of_the_kernel_header() {
        assert_eq!(Cap::from_name("cap_setpcap"), Some(8));
        assert_eq!(Cap::from_name("cap_sys_admin"), Some(21));
        assert_eq!(Cap::from_name("cap_setfcap"), Some(31));
        assert_eq!(Cap::from_name("cap_checkpoint_restore"), Some(40));
    }

    #[test]
    fn near_misses_have_no_bit() {
        for name in ["", "cap_", "chown", "CAP_CHOWN", "cap_chown ", "cap_chownx"] {
            assert_eq!(Cap::from_name(name), None, "{name:?}");
        }
    }
}
