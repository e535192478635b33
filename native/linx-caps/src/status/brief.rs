//! What a list of processes shows, read without going through the whole text.

use super::{cap_lines::parse_caps, split_key, status_error::StatusError, Status};

/// Reads the five sets, and `Name`, `PPid` and `Uid` (proc_pid_status(5)), which the kernel writes before most of the rest;
/// what follows the last of these is looked at for the sets only. Time is linear in the text's length.
///
/// The other fields are `None`.
///
/// # Errors
/// As of [`parse`](super::parse), for the lines that are looked at.
///
/// ```
/// use linx_caps::{status, Ids};
/// let text = b"Name:\tnginx\nPPid:\t1\nUid:\t33\t33\t33\t33\nGroups:\t4 24 \n\
///              CapInh:\t0\nCapPrm:\t400\nCapEff:\t400\nCapBnd:\t400\nCapAmb:\t0\nNoNewPrivs:\t1\n";
/// let status = status::parse_brief(text)?;
/// assert_eq!((status.ppid, status.uid), (Some(1), Some(Ids::all(33))));
/// assert_eq!((status.groups, status.no_new_privs), (None, None));
/// # Ok::<(), status::StatusError>(())
/// ```
pub fn parse_brief(text: &[u8]) -> Result<Status, StatusError> {
    let mut status = Status::of(parse_caps(text)?);
    let mut lines = text.split(|byte| *byte == b'\n');
    while status.name.is_none() || status.ppid.is_none() || status.uid.is_none() {
        let Some(line) = lines.next() else { break };
        if let Some((key @ (b"Name" | b"PPid" | b"Uid"), value)) = split_key(line) {
            status.take(key, value)?;
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::parse;

    const CAPS: &str = "CapInh: 1\nCapPrm: 2\nCapEff: 4\nCapBnd: 8\nCapAmb: 0\n";

    #[test]
    fn what_both_read_they_read_alike() {
        for head in [
            "Name:\ta\nPPid:\t7\nUid:\t1\t2\t3\t4\n",
            "Uid:\t1\t2\t3\t4\nPid:\t9\nName:\ta\nPPid:\t7\n",
            "Name:\ta\n",
            "PPid:\tx\n",
            "Name:\ta\nName:\tb\n",
            "",
        ] {
            for text in [format!("{head}{CAPS}"), format!("{CAPS}{head}")] {
                let whole = parse(text.as_bytes());
                assert_eq!(parse_brief(text.as_bytes()), whole, "{text:?}");
            }
        }
    }

    #[test]
    fn lines_after_the_last_do_not_matter() {
        let text = format!("Name:\ta\nPPid:\t7\nUid:\t1\t2\t3\t4\nGid:\tx\nName:\tb\n{CAPS}");
        assert!(parse(text.as_bytes()).is_err());
        let status = parse_brief(text.as_bytes()).unwrap();
        assert_eq!(status.name.as_deref(), Some(&b"a"[..]));
    }
}
