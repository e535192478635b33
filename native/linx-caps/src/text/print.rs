use std::fmt::Write;

use crate::cap::Cap;
use crate::capset::CapSet;
use crate::set::{Caps, Flag};

/// Which flags a capability has: effective 1, permitted 2, inheritable 4.
type Flags = u8;

/// Writes a triple as cap_to_text(3) does; `max_bits` is how many capabilities the running kernel
/// has. [`from_text`](super::from_text) with the same number reads it back.
///
/// ```
/// use linx_caps::{set::Caps, text::to_text, CapSet};
/// let all = CapSet::below(41);
/// let caps = Caps { permitted: all, effective: all.difference(CapSet::single(0)), ..Caps::new() };
/// assert_eq!(to_text(&caps, 41), "=ep cap_chown-e");
/// assert_eq!(to_text(&Caps::new(), 41), "=");
/// ```
pub fn to_text(caps: &Caps, max_bits: u8) -> String {
    let named = CapSet::below(max_bits);
    let common = most_frequent(caps, named);
    let mut text = String::from("=");
    push_flags(&mut text, common);
    for flags in (0..8).rev().filter(|flags| *flags != common) {
        push_clause(
            &mut text,
            with_flags(caps, flags).intersection(named),
            common,
            flags,
        );
    }
    for flags in (1..8).rev() {
        let unnamed = with_flags(caps, flags).difference(named);
        if !unnamed.is_empty() {
            text.push(' ');
            push_list(&mut text, unnamed);
            push_change(&mut text, '+', flags);
        }
    }
    text
}

fn push_clause(text: &mut String, members: CapSet, common: Flags, flags: Flags) {
    if members.is_empty() {
        return;
    }
    if text == "=" {
        text.clear();
        push_list(text, members);
        return push_change(text, '=', flags);
    }
    text.push(' ');
    push_list(text, members);
    for (operator, change) in [('+', flags & !common), ('-', common & !flags)] {
        if change != 0 {
            push_change(text, operator, change);
        }
    }
}

fn push_change(text: &mut String, operator: char, flags: Flags) {
    text.push(operator);
    push_flags(text, flags);
}

fn push_flags(text: &mut String, flags: Flags) {
    let letters = Flag::TEXT_ORDER
        .iter()
        .filter(|flag| flags & weight(**flag) != 0);
    text.extend(letters.map(|flag| flag.letter()));
}

/// Writes capabilities ascending, between commas.
fn push_list(text: &mut String, members: CapSet) {
    for (index, bit) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_capability(text, bit);
    }
}

/// Writes a capability's name, or its number if it has none.
pub(crate) fn push_capability(text: &mut String, bit: u8) {
    match Cap::name(bit) {
        Some(name) => text.push_str(name),
        // Writing to a String cannot fail.
        None => drop(write!(text, "{bit}")),
    }
}

/// The flags most capabilities have; of those equally frequent, the smallest.
fn most_frequent(caps: &Caps, named: CapSet) -> Flags {
    let members = |flags: &Flags| with_flags(caps, *flags).intersection(named).len();
    (0..8).rev().max_by_key(members).unwrap_or(0)
}

/// The capabilities, of all 64, that have exactly these flags.
fn with_flags(caps: &Caps, flags: Flags) -> CapSet {
    Flag::TEXT_ORDER.iter().fold(CapSet::ALL, |members, flag| {
        if flags & weight(*flag) != 0 {
            members.intersection(caps.flag(*flag))
        } else {
            members.difference(caps.flag(*flag))
        }
    })
}

const fn weight(flag: Flag) -> Flags {
    match flag {
        Flag::Effective => 1,
        Flag::Permitted => 2,
        Flag::Inheritable => 4,
    }
}
