//! Frames that no well-meaning client sends.

use super::{bytes, command};
use crate::wire::{decode, Command, Reason, Refusal};

fn refused(hex: &str, id: impl Into<Option<u64>>, reason: Reason) {
    let frame = bytes(&hex.replace(' ', ""));
    assert_eq!(
        decode(&frame),
        Err(Refusal::Fault {
            id: id.into(),
            reason
        }),
        "{hex}"
    );
}

/// `{sync, 7` up to its closing, with one more element to come when `arity` is 3.
fn sync(arity: u8) -> String {
    format!("83 68 0{arity} 77 04 73796e63 61 07")
}

#[test]
fn what_is_no_term_is_malformed() {
    refused("", None, Reason::Malformed);
    refused("83", None, Reason::Malformed);
    refused("82 6a", None, Reason::Malformed);
    refused("83 50 0000000a 789c4b4a0600", None, Reason::Malformed);
    refused("83 46 3ff0000000000000", None, Reason::Malformed);
}

#[test]
fn what_has_no_commands_shape_is_malformed() {
    refused("83 6a", None, Reason::Malformed);
    refused("83 61 07", None, Reason::Malformed);
    refused("83 68 00", None, Reason::Malformed);
    refused("83 68 02 61 07 61 07", None, Reason::Malformed);
    refused("83 74 00000000", None, Reason::Malformed);
}

#[test]
fn the_id_in_front_of_damage_is_told() {
    refused(&format!("{} 00", sync(2)), 7, Reason::Malformed);
    refused(&sync(3), 7, Reason::Malformed);
    refused(
        &format!("{} 46 3ff0000000000000", sync(3)),
        7,
        Reason::Malformed,
    );
    refused(
        &format!("{} 6c 00000001 61 01 61 02", sync(3)),
        7,
        Reason::Malformed,
    );
    refused(
        &format!("{} 6f 00000001 00 01", sync(3)),
        7,
        Reason::Malformed,
    );
    refused(
        &format!("{} 6e 09 00 000000000000000001", sync(3)),
        7,
        Reason::Malformed,
    );
}

#[test]
fn the_pid_of_a_leftover_is_no_id() {
    let frame = command("{kill_leftover,4711,250,70000}");
    let cut = &frame[..frame.len() - 1];
    assert_eq!(
        decode(cut),
        Err(Refusal::Fault {
            id: None,
            reason: Reason::Malformed
        })
    );
    let head = "83 68 04 77 0d 6b696c6c5f6c6566746f766572";
    refused(
        &format!("{head} 61 00 61 00 61 00"),
        None,
        Reason::BadArgument,
    );
    refused(
        &format!("{head} 62 ffffffff 61 00 61 00"),
        None,
        Reason::BadArgument,
    );
    refused(
        &format!("{head} 61 07 62 ffffffff 61 00"),
        None,
        Reason::BadArgument,
    );
    refused(
        &format!("{head} 61 07 61 00 62 ffffffff"),
        None,
        Reason::BadArgument,
    );
}

#[test]
fn nesting_ends_at_eight() {
    let list = |depth: usize| format!("{}{}", "6c00000001".repeat(depth), "6a".repeat(depth + 1));
    refused(&format!("{}{}", sync(3), list(7)), 7, Reason::BadArgument);
    refused(&format!("{}{}", sync(3), list(8)), 7, Reason::Malformed);
    refused(
        &format!("{}{}", sync(3), "6801".repeat(1_000_000)),
        7,
        Reason::Malformed,
    );
}

#[test]
fn lengths_beyond_the_frame_are_refused() {
    for header in [
        "69ffffffff",
        "6cffffffff",
        "6dffffffff",
        "74ffffffff",
        "6bffff",
        "77ff",
        "76ffff",
    ] {
        refused(&format!("83 {header}"), None, Reason::Malformed);
        refused(&format!("{}{header}", sync(3)), 7, Reason::Malformed);
    }
}

#[test]
fn an_unknown_command_is_named_so() {
    refused("83 68 02 77 04 53594e43 61 07", 7, Reason::UnknownCommand);
    refused("83 68 01 77 04 53594e43", None, Reason::UnknownCommand);
}

#[test]
fn arguments_are_counted_and_ids_ranged() {
    refused(&format!("{} 61 01", sync(3)), 7, Reason::BadArgument);
    refused("83 68 01 77 04 73796e63", None, Reason::BadArgument);
    refused(
        "83 68 02 77 04 73796e63 77 01 61",
        None,
        Reason::BadArgument,
    );
    refused(
        "83 68 02 77 04 73796e63 62 ffffffff",
        None,
        Reason::BadArgument,
    );
    refused(
        "83 68 02 77 04 73796e63 6e 01 01 07",
        None,
        Reason::BadArgument,
    );
}

#[test]
fn a_minus_in_front_of_nothing_is_zero() {
    let frame = bytes("6802770473796e636e0001");
    let frame = [&[131], frame.as_slice()].concat();
    assert_eq!(decode(&frame), Ok(Command::Sync { id: 0 }));
}

#[test]
fn signals_run_from_1_to_64() {
    let signal = |n: &str| format!("83 68 03 77 06 7369676e616c 61 07 {n}");
    refused(&signal("61 00"), 7, Reason::BadArgument);
    refused(&signal("61 41"), 7, Reason::BadArgument);
    refused(&signal("62 ffffffff"), 7, Reason::BadArgument);
    let least = bytes(&signal("61 01").replace(' ', ""));
    assert_eq!(decode(&least), Ok(Command::Signal { id: 7, signal: 1 }));
}

#[test]
fn verbs_are_checked() {
    let verb = |hex: &str| format!("83 68 03 77 04 76657262 61 07 {hex}");
    // {set_uid, 2^32 - 1}, {set_uid, -1}, {set_groups, 0, [-1]}, {drop_bounding, -1}, {set_ambient, keep}
    refused(
        &verb("68 02 77 07 7365745f756964 6e 04 00 ffffffff"),
        7,
        Reason::BadArgument,
    );
    refused(
        &verb("68 02 77 07 7365745f756964 62 ffffffff"),
        7,
        Reason::BadArgument,
    );
    refused(
        &verb("68 03 77 0a 7365745f67726f757073 61 00 6c 00000001 62 ffffffff 6a"),
        7,
        Reason::BadArgument,
    );
    refused(
        &verb("68 02 77 0d 64726f705f626f756e64696e67 62 ffffffff"),
        7,
        Reason::BadArgument,
    );
    refused(
        &verb("68 02 77 0b 7365745f616d6269656e74 77 04 6b656570"),
        7,
        Reason::BadArgument,
    );
    refused(&verb("77 04 6b656570"), 7, Reason::BadArgument);
    refused(&verb("68 01 77 04 6b656570"), 7, Reason::BadArgument);
}
