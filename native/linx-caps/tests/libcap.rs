//! The model against the real libcap: the same question to both, the same answer from both.
//! Where this crate refuses what C accepts, the test names the reason.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "libcap/generate.rs"]
mod generate;
#[path = "libcap/reference.rs"]
mod reference;

use generate::{mask, take, texts, triple, tuples};
use linx_caps::external::{self, DEFAULT_MIN_LENGTH};
use linx_caps::iab::{self, Iab, Vector};
use linx_caps::set::{Caps, Flag};
use linx_caps::xattr::{self, FileCaps, Revision};
use linx_caps::{status, text, Cap, CapSet};
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn texts_are_read_as_libcap_reads_them() {
    let texts = take(15_000, texts());
    let questions: Vec<String> = texts
        .iter()
        .map(|text| format!("text {}", hex(text.as_bytes())))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    let mut agreed = Agreed::default();
    for (text, theirs) in texts.iter().zip(&libcap.answers) {
        let ours = text::from_text(text, libcap.max_bits).ok().map(|caps| {
            let shown = text::to_text(&caps, libcap.max_bits);
            format!("{} {}", flags(&caps), hex(shown.as_bytes()))
        });
        agreed.check(text, ours, theirs, has_ambiguous_number(text));
    }
    agreed.both_ways(1_000);
}

#[test]
fn triples_are_shown_as_libcap_shows_them() {
    let triples = take(10_000, triple());
    let questions: Vec<String> = triples
        .iter()
        .map(|sets| format!("show {}", masks(sets)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    for (sets, theirs) in triples.iter().zip(&libcap.answers) {
        let shown = text::to_text(&caps(*sets), libcap.max_bits);
        assert_eq!(shown, unhex(theirs), "{sets:x?}");
    }
}

#[test]
fn tuples_are_read_and_shown_as_libcap_does() {
    let texts = take(12_000, tuples());
    let questions: Vec<String> = texts
        .iter()
        .map(|text| format!("iab {}", hex(text.as_bytes())))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    let mut agreed = Agreed::default();
    for (text, theirs) in texts.iter().zip(&libcap.answers) {
        let ours = iab::from_text(text)
            .ok()
            .map(|iab| tuple(&iab, libcap.max_bits));
        let deliberate = has_ambiguous_number(text) || has_item_without_name(text);
        agreed.check(text, ours, theirs, deliberate);
    }
    agreed.both_ways(1_000);
}

#[test]
fn vectors_are_coupled_as_in_libcap() {
    let change = (0u8..3, 0u8..41, any::<bool>());
    let cases = take(4_000, vec(change, 0..12));
    let question = |changes: &Vec<(u8, u8, bool)>| {
        let words = changes.iter().map(|(vector, bit, raised)| {
            let letter = ['i', 'a', 'b'].get(usize::from(*vector)).unwrap();
            format!(" {letter} {bit} {}", u8::from(*raised))
        });
        format!("vector{}", words.collect::<String>())
    };
    let Some(libcap) = reference::ask(&cases.iter().map(question).collect::<Vec<_>>()) else {
        return;
    };
    for (changes, theirs) in cases.iter().zip(&libcap.answers) {
        let mut iab = Iab::new();
        for (vector, bit, raised) in changes {
            let vectors = [Vector::Inheritable, Vector::Ambient, Vector::Bound];
            let vector = *vectors.get(usize::from(*vector)).unwrap();
            iab.set_vector(vector, CapSet::single(*bit), *raised);
        }
        assert_eq!(&tuple(&iab, libcap.max_bits), theirs, "{changes:?}");
    }
}

#[test]
fn tuples_are_filled_as_libcap_fills_them() {
    let cases = take(3_000, triple());
    let questions: Vec<String> = cases
        .iter()
        .map(|sets| format!("fill {}", masks(sets)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    for (sets, theirs) in cases.iter().zip(&libcap.answers) {
        let [inheritable, ambient, bounding] = sets.map(CapSet::from_bits);
        let mut iab = Iab::new();
        iab.fill(Vector::Inheritable, inheritable, libcap.max_bits);
        iab.fill(Vector::Ambient, ambient, libcap.max_bits);
        iab.fill(Vector::Bound, bounding, libcap.max_bits);
        assert_eq!(&tuple(&iab, libcap.max_bits), theirs, "{sets:x?}");
    }
}

#[test]
fn exports_are_those_of_libcap() {
    let cases = take(3_000, triple());
    let questions: Vec<String> = cases
        .iter()
        .map(|sets| format!("export {}", masks(sets)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    for (sets, theirs) in cases.iter().zip(&libcap.answers) {
        let bytes = external::export(&caps(*sets), DEFAULT_MIN_LENGTH).unwrap();
        assert_eq!(&hex(&bytes), theirs, "{sets:x?}");
    }
}

#[test]
fn imports_are_those_of_libcap() {
    let mangled = (
        triple(),
        0u8..=8,
        any::<prop::sample::Index>(),
        any::<u8>(),
        0u8..5,
    )
        .prop_map(|(sets, min_length, at, byte, how)| {
            let mut bytes = external::export(&caps(sets), min_length).unwrap();
            let at = at.index(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => bytes.push(byte),
                2 => drop(bytes.splice(at..=at, [byte])),
                3 => drop(bytes.splice(4..5, [byte & 15])),
                _ => {}
            }
            bytes
        });
    let cases = take(5_000, mangled);
    let questions: Vec<String> = cases
        .iter()
        .map(|bytes| format!("import {}", hex(bytes)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    let mut agreed = Agreed::default();
    for (bytes, theirs) in cases.iter().zip(&libcap.answers) {
        let ours = external::import(bytes).ok().map(|caps| flags(&caps));
        let announced = bytes.get(4).map_or(0, |length| usize::from(*length));
        let deliberate = announced > 8 || bytes.len() > 5 + 3 * announced;
        agreed.check(&hex(bytes), ours, theirs.trim_end(), deliberate);
    }
    agreed.both_ways(500);
}

#[test]
fn triples_differ_where_libcap_says() {
    let cases = take(2_000, [mask(), mask(), mask(), mask(), mask(), mask()]);
    let questions: Vec<String> = cases
        .iter()
        .map(|sets| format!("differ {}", masks(sets)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    for (sets, theirs) in cases.iter().zip(&libcap.answers) {
        let [e, p, i, others @ ..] = *sets;
        let diff = caps([e, p, i]).compare(&caps(others));
        let ours = [
            (Flag::Effective, 1),
            (Flag::Permitted, 2),
            (Flag::Inheritable, 4),
        ]
        .iter()
        .filter(|(flag, _)| diff.has(*flag))
        .map(|(_, weight)| weight)
        .sum::<u8>();
        assert_eq!(&ours.to_string(), theirs, "{sets:x?}");
    }
}

#[test]
fn attributes_are_stored_as_libcap_stores_them() {
    if !may_set_file_capabilities() {
        return;
    }
    let rootid = prop_oneof![Just(0u32), Just(1000), Just(u32::MAX - 1)];
    let covering = triple().prop_map(|[_, p, i]| [p | i, p, i]);
    let sets = prop_oneof![triple(), covering];
    let cases = take(2_000, (sets, rootid));
    let question = |(sets, rootid): &([u64; 3], u32)| format!("store {} {rootid:x}", masks(sets));
    let Some(libcap) = reference::ask(&cases.iter().map(question).collect::<Vec<_>>()) else {
        return;
    };
    let mut agreed = Agreed::default();
    for ((sets, rootid), theirs) in cases.iter().zip(&libcap.answers) {
        let caps = Caps {
            ns_owner: *rootid,
            ..caps(*sets)
        };
        let file_caps = FileCaps::from_caps(&caps).ok();
        let ours = file_caps.map(|caps| hex(&xattr::encode(&caps).unwrap()));
        agreed.check(&format!("{caps:?}"), ours, theirs, false);
    }
    agreed.both_ways(100);
}

#[test]
fn attributes_are_loaded_as_libcap_loads_them() {
    if !may_set_file_capabilities() {
        return;
    }
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0u8..5);
    let mangled = (triple(), any::<bool>(), any::<u16>(), change).prop_map(
        |([_, p, i], effective, rootid, (at, byte, how))| {
            let rootid = u32::from(rootid % 3) * 1000;
            let file_caps = FileCaps {
                revision: if rootid == 0 {
                    Revision::V2
                } else {
                    Revision::V3
                },
                permitted: CapSet::from_bits(p),
                inheritable: CapSet::from_bits(i),
                effective,
                rootid,
            };
            let mut bytes = xattr::encode(&file_caps).unwrap();
            match how {
                0 => bytes.truncate(at.index(bytes.len())),
                1 => drop(bytes.splice(3..4, [byte % 5])),
                2 => drop(bytes.splice(0..1, [byte % 4])),
                _ => {}
            }
            bytes
        },
    );
    let cases = take(2_000, mangled);
    let questions: Vec<String> = cases
        .iter()
        .map(|bytes| format!("load {}", hex(bytes)))
        .collect();
    let Some(libcap) = reference::ask(&questions) else {
        return;
    };
    let mut agreed = Agreed::default();
    for (bytes, theirs) in cases.iter().zip(&libcap.answers) {
        let ours = xattr::decode(bytes).ok().map(|file_caps| {
            let caps = file_caps.to_caps();
            format!("{} {:x}", flags(&caps), caps.ns_owner)
        });
        agreed.check(&hex(bytes), ours, theirs, false);
    }
    agreed.both_ways(100);
}

/// Storing a file's capabilities needs `cap_setfcap`.
fn may_set_file_capabilities() -> bool {
    let text = std::fs::read("/proc/self/status").unwrap();
    let setfcap = Cap::from_name("cap_setfcap").unwrap();
    let may = status::parse_caps(&text)
        .unwrap()
        .effective
        .contains(setfcap);
    if !may {
        reference::skip("without cap_setfcap no file can be given capabilities");
    }
    may
}

/// Counts what both accepted and refused, so that a generator gone one-sided fails.
#[derive(Default)]
struct Agreed {
    accepted: usize,
    refused: usize,
}

impl Agreed {
    fn check(&mut self, question: &str, ours: Option<String>, theirs: &str, deliberate: bool) {
        match ours {
            Some(ours) => {
                assert_eq!(ours, theirs, "{question:?}");
                assert!(!deliberate, "{question:?} is to be refused");
                self.accepted += 1;
            }
            None => {
                assert!(
                    theirs == "refused" || deliberate,
                    "{question:?} is {theirs} to libcap"
                );
                self.refused += 1;
            }
        }
    }

    fn both_ways(&self, at_least: usize) {
        assert!(self.accepted >= at_least, "only {} accepted", self.accepted);
        assert!(self.refused >= at_least, "only {} refused", self.refused);
    }
}

/// Octal and hex numbers, which C reads one way and its Go counterpart another.
fn has_ambiguous_number(text: &str) -> bool {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !word(letter))
        .any(|word| word.len() > 1 && word.starts_with('0'))
}

/// `!` or a trailing comma, which C takes for nothing.
fn has_item_without_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .split(',')
            .any(|item| item.trim_start_matches(['!', '^', '%']).is_empty())
}

fn caps([effective, permitted, inheritable]: [u64; 3]) -> Caps {
    Caps {
        effective: CapSet::from_bits(effective),
        permitted: CapSet::from_bits(permitted),
        inheritable: CapSet::from_bits(inheritable),
        ns_owner: 0,
    }
}

fn flags(caps: &Caps) -> String {
    masks(&[caps.effective, caps.permitted, caps.inheritable].map(CapSet::bits))
}

fn tuple(iab: &Iab, max_bits: u8) -> String {
    let vectors = [Vector::Inheritable, Vector::Ambient, Vector::Bound];
    let known = CapSet::below(max_bits);
    let sets = vectors.map(|vector| iab.vector(vector).intersection(known).bits());
    format!(
        "{} {}",
        masks(&sets),
        hex(iab::to_text(iab, max_bits).as_bytes())
    )
}

fn masks(sets: &[u64]) -> String {
    let words: Vec<String> = sets.iter().map(|bits| format!("{bits:x}")).collect();
    words.join(" ")
}

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "-".to_owned();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> String {
    let pairs = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes = pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    String::from_utf8(bytes).unwrap()
}
