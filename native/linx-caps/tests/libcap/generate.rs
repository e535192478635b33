//! Questions for libcap: mostly sensible, often slightly wrong.

use linx_caps::Cap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// `count` values, the same in every run.
pub fn take<S: Strategy>(count: usize, strategy: S) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

/// Texts of E/P/I triples.
pub fn texts() -> impl Strategy<Value = String> {
    let text = (vec(clause(), 0..4), vec(space(), 5))
        .prop_map(|(clauses, spaces)| {
            clauses
                .into_iter()
                .zip(spaces)
                .map(|(clause, space)| clause + space)
                .collect::<String>()
        })
        .boxed();
    prop_oneof![
        4 => text.clone(),
        1 => spoilt(text, "eEipP=+-, \tcap_09xA!\u{e9}"),
    ]
}

/// Texts of IAB tuples.
pub fn tuples() -> impl Strategy<Value = String> {
    let item = ("[!^%]{0,3}", item()).prop_map(|(marks, item)| marks + &item);
    let text = vec(item, 0..6).prop_map(|items| items.join(",")).boxed();
    prop_oneof![
        4 => text.clone(),
        1 => spoilt(text, "!^%, cap_09xA"),
    ]
}

/// Masks from nearly empty to nearly full, with and without bits the kernel does not know.
pub fn mask() -> impl Strategy<Value = u64> {
    let known = linx_caps::KNOWN_MASK;
    prop_oneof![
        Just(0),
        Just(known),
        any::<u64>().prop_map(move |bits| bits & known),
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(move |(a, b, c)| a & b & c & known),
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(move |(a, b, c)| (a | b | c) & known),
        any::<u64>(),
        (any::<u64>(), any::<u64>()).prop_map(|(a, b)| a & b),
    ]
}

/// Three masks, often related, so that some states are frequent.
pub fn triple() -> impl Strategy<Value = [u64; 3]> {
    let related = (mask(), mask(), 0u8..8).prop_map(|(base, spots, how)| {
        let pick = |on: u8| {
            if how & on == 0 {
                base
            } else {
                base ^ (spots & spots >> 7)
            }
        };
        [pick(1), pick(2), pick(4)]
    });
    prop_oneof![[mask(), mask(), mask()], related]
}

fn clause() -> impl Strategy<Value = String> {
    let lists = vec(item(), 1..5).prop_map(|items| items.join(","));
    let later =
        prop_oneof![6 => Just(String::new()), 3 => "[+-][eip]{1,3}", 1 => "[+=-]{1,2}[eip]{0,2}"];
    let listed = (lists, "=|\\+|-|=\\+|=-", "[eip]{0,3}", later.clone())
        .prop_map(|(list, op, flags, later)| list + &op + &flags + &later);
    let bare = ("=", "[eip]{0,3}", later).prop_map(|(op, flags, later)| op + &flags + &later);
    prop_oneof![5 => listed, 2 => bare]
}

fn item() -> impl Strategy<Value = String> {
    let name = (0u8..41).prop_map(|bit| Cap::name(bit).unwrap_or_default().to_owned());
    let shouted = name.clone().prop_map(|name| name.to_ascii_uppercase());
    let mixed = (name.clone(), any::<u32>()).prop_map(|(name, upper)| {
        let letter = |(at, letter): (usize, char)| {
            if upper >> (at % 32) & 1 == 1 {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        };
        name.chars().enumerate().map(letter).collect()
    });
    let wrong = prop_oneof![
        Just("chown".to_owned()),
        Just("cap_".to_owned()),
        Just("cap_chownx".to_owned()),
        Just("cap_net".to_owned()),
        Just(String::new()),
        "0[0-9]{1,2}",
        "0x[0-9a-f]{0,2}",
        "[0-9]{2,20}",
        "[a-z0-9_]{1,8}",
    ];
    prop_oneof![
        40 => name,
        4 => shouted,
        4 => mixed,
        8 => (0u8..66).prop_map(|number| number.to_string()),
        4 => "all|ALL|All",
        2 => wrong,
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(" "), 1 => Just("\t"), 1 => Just("\n  "), 1 => Just("\x0b\x0c\r")]
}

/// A text with one character inserted, replaced or taken out.
fn spoilt(
    text: impl Strategy<Value = String>,
    alphabet: &'static str,
) -> impl Strategy<Value = String> {
    let letters: Vec<char> = alphabet.chars().collect();
    let change = (
        any::<prop::sample::Index>(),
        prop::sample::select(letters),
        0u8..3,
    );
    (text, change).prop_map(|(text, (at, letter, how))| {
        let mut letters: Vec<char> = text.chars().collect();
        let at = at.index(letters.len() + 1);
        let end = if how == 0 {
            at
        } else {
            (at + 1).min(letters.len())
        };
        letters.splice(at..end, (how < 2).then_some(letter));
        letters.into_iter().collect()
    })
}
