//! The parsers of the model crate.

use linx_caps::iab::{self, Vector};
use linx_caps::status::{self as status_text, Status};
use linx_caps::text::{self, TextError, MAX_TEXT_LEN};
use linx_caps::xattr::{FileCaps, Revision, XattrError};
use linx_caps::{nearest_name, Cap};

/// The text of a triple: what is read prints to a text that reads back as the same.
///
/// The first byte is how many capabilities the kernel has.
pub fn set_text(data: &[u8]) {
    let Some((max_bits, text)) = number_and_text(data) else {
        return;
    };
    match text::from_text(text, max_bits) {
        Ok(caps) => {
            let printed = text::to_text(&caps, max_bits);
            assert_eq!(text::from_text(&printed, max_bits), Ok(caps), "{printed}");
            assert!(printed.len() < 4096, "{printed}");
            assert_eq!(
                text::from_text(&format!(" {text}\n"), max_bits).ok(),
                (text.len() + 2 <= MAX_TEXT_LEN).then_some(caps)
            );
        }
        Err(error) => refused_where_it_can_be(error, text),
    }
}

/// The text of an IAB tuple, likewise.
pub fn iab_text(data: &[u8]) {
    let Some((max_bits, text)) = number_and_text(data) else {
        return;
    };
    match iab::from_text(text) {
        Ok(tuple) => {
            let ambient = tuple.vector(Vector::Ambient);
            assert!(ambient.is_subset(tuple.vector(Vector::Inheritable)));
            assert_eq!(iab::from_text(&iab::to_text(&tuple, 64)), Ok(tuple));
            let printed = iab::to_text(&tuple, max_bits);
            let again = iab::from_text(&printed).expect("what was printed is read");
            assert_eq!(iab::to_text(&again, max_bits), printed);
        }
        Err(error) => refused_where_it_can_be(error, text),
    }
}

/// The binary form: what is read was written by nobody else.
pub fn external(data: &[u8]) {
    if let Ok(caps) = linx_caps::external::import(data) {
        let exported = linx_caps::external::export(&caps, data[4]);
        assert_eq!(exported.as_deref(), Ok(data));
    }
}

/// The extended attribute, likewise; and its triple makes an attribute that means the same.
pub fn xattr(data: &[u8]) {
    let Ok(caps) = linx_caps::xattr::decode(data) else {
        return;
    };
    let written = linx_caps::xattr::encode(&caps);
    match caps.revision {
        Revision::V1 => assert_eq!(written, Err(XattrError::WritesV1)),
        Revision::V2 | Revision::V3 => assert_eq!(written.as_deref(), Ok(data)),
    }
    let triple = caps.to_caps();
    let made = FileCaps::from_caps(&triple).expect("a file's triple can be a file's");
    assert_eq!(made.to_caps(), triple);
}

/// `/proc/PID/status`: both readers agree, and the order of the lines is of no importance.
pub fn status(data: &[u8]) {
    let sets = status_text::parse_caps(data);
    match status_text::parse(data) {
        Ok(status) => {
            assert_eq!(sets, Ok(status.state()));
            assert_eq!(status_text::parse(&reversed(data)).as_ref(), Ok(&status));
            assert_eq!(status_text::parse(&kernel_text(&status)), Ok(status));
        }
        Err(error) => assert!(sets.is_ok() || sets == Err(error), "{sets:?} {error:?}"),
    }
}

/// Names and numbers, and the guess at what a wrong one meant.
pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        assert_eq!(text::capability(data), None);
        return;
    };
    let guess = nearest_name(text);
    if let Some(bit) = text::capability(data) {
        match Cap::name(bit).filter(|name| name.eq_ignore_ascii_case(text)) {
            Some(name) => assert_eq!(guess, Some(name)),
            None => assert_eq!(bit.to_string(), text),
        }
    }
    if let Some(name) = guess {
        assert_eq!(nearest_name(name), guess);
    }
}

fn number_and_text(data: &[u8]) -> Option<(u8, &str)> {
    let (number, text) = data.split_first()?;
    Some((number % 65, std::str::from_utf8(text).ok()?))
}

fn refused_where_it_can_be(error: TextError, text: &str) {
    match error {
        TextError::TooLong { length } => assert!(length == text.len() && length > MAX_TEXT_LEN),
        TextError::Unexpected { position, .. } => assert!(text.is_char_boundary(position)),
    }
}

fn reversed(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    lines.reverse();
    lines.join(&b'\n')
}

/// What the kernel would have written for this status (`proc_pid_status`, `fs/proc/array.c`).
fn kernel_text(status: &Status) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(name) = &status.name {
        text.extend(b"Name:\t");
        text.extend(name.iter().flat_map(|byte| match byte {
            b'\n' => b"\\n".to_vec(),
            b'\\' => b"\\\\".to_vec(),
            other => vec![*other],
        }));
        text.push(b'\n');
    }
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            text.extend(format!("{key}:\t{value}\n").bytes());
        }
    };
    line("PPid", status.ppid.map(|ppid| ppid.to_string()));
    for (key, ids) in [("Uid", status.uid), ("Gid", status.gid)] {
        let numbers = |i: linx_caps::Ids| [i.real, i.effective, i.saved, i.fs];
        line(key, ids.map(|ids| words(&numbers(ids), "\t")));
    }
    let groups = status.groups.as_deref();
    line("Groups", groups.map(|groups| words(groups, " ") + " "));
    for (key, set) in [
        ("CapInh", status.inheritable),
        ("CapPrm", status.permitted),
        ("CapEff", status.effective),
        ("CapBnd", status.bounding),
        ("CapAmb", status.ambient),
    ] {
        line(key, Some(format!("{:016x}", set.bits())));
    }
    let no_new_privs = status.no_new_privs.map(u8::from);
    line("NoNewPrivs", no_new_privs.map(|flag| flag.to_string()));
    text
}

fn words(numbers: &[u32], between: &str) -> String {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(between)
}
