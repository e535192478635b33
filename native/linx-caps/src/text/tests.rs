use proptest::prelude::*;

use super::*;
use crate::capset::CapSet;
use crate::set::Caps;

const N: u8 = 41;

fn read(text: &str) -> [u64; 3] {
    let caps = from_text(text, N).unwrap();
    [
        caps.effective.bits(),
        caps.permitted.bits(),
        caps.inheritable.bits(),
    ]
}

fn canonical(text: &str) -> String {
    to_text(&from_text(text, N).unwrap(), N)
}

#[test]
fn clauses_apply_one_after_the_other() {
    let all = CapSet::below(N).bits();
    assert_eq!(read(""), [0, 0, 0]);
    assert_eq!(read("="), [0, 0, 0]);
    assert_eq!(read("all=p"), [0, all, 0]);
    assert_eq!(read(" =p\tcap_chown+e\n"), [1, all, 0]);
    assert_eq!(read("cap_chown=p+e-p"), [1, 0, 0]);
    assert_eq!(read("0,63=i 0-i"), [0, 0, 1 << 63]);
    assert_eq!(read("=ep cap_chown="), [all - 1, all - 1, 0]);
    assert_eq!(read("0=+p"), [0, 1, 0]);
    assert_eq!(read("CAP_Chown,ALL=p"), [0, all, 0]);
}

#[test]
fn a_bare_equals_leaves_what_the_kernel_does_not_know() {
    assert_eq!(read("41=p ="), [0, 1 << 41, 0]);
}

#[test]
fn all_starts_a_list_anew() {
    let all = CapSet::below(N).bits();
    assert_eq!(read("57,all=p"), [0, all, 0]);
    assert_eq!(read("all,57=p"), [0, all | 1 << 57, 0]);
}

#[test]
fn each_refusal_says_where_and_what() {
    let cases = [
        ("+p", 0, Expected::Clause),
        (" ,0=p", 1, Expected::Clause),
        ("é=p", 0, Expected::Clause),
        ("cap_chown", 9, Expected::Operator),
        ("cap_chown p", 9, Expected::Operator),
        ("0,=p", 2, Expected::CapabilityOrAll),
        ("0=p cap_chow+e", 4, Expected::CapabilityOrAll),
        ("chown=p", 0, Expected::CapabilityOrAll),
        ("64=p", 0, Expected::CapabilityOrAll),
        ("010=p", 0, Expected::CapabilityOrAll),
        ("0x1=p", 0, Expected::CapabilityOrAll),
        ("00=p", 0, Expected::CapabilityOrAll),
        ("4294967296=p", 0, Expected::CapabilityOrAll),
        ("0+", 2, Expected::Flag),
        ("0=p+", 4, Expected::Flag),
        ("0+P", 2, Expected::Flag),
        ("0=E", 2, Expected::FlagOrOperatorOrEnd),
        ("0=p=e", 3, Expected::FlagOrOperatorOrEnd),
        ("=e+p", 2, Expected::FlagOrEnd),
        ("=p\0", 2, Expected::FlagOrEnd),
    ];
    for (text, position, expected) in cases {
        let refusal = Err(TextError::Unexpected { position, expected });
        assert_eq!(from_text(text, N), refusal, "{text:?}");
    }
}

#[test]
fn the_limit_is_on_bytes() {
    let spaces = " ".repeat(MAX_TEXT_LEN);
    assert_eq!(from_text(&spaces, N), Ok(Caps::new()));
    let length = MAX_TEXT_LEN + 1;
    assert_eq!(
        from_text(&format!("{spaces} "), N),
        Err(TextError::TooLong { length })
    );
}

#[test]
fn canonical_texts() {
    let cases = [
        ("", "="),
        ("0=ep", "cap_chown=ep"),
        ("0=ep 1=p", "cap_chown=ep cap_dac_override+p"),
        ("=ep 0-e 1-ep", "=ep cap_chown-e cap_dac_override-ep"),
        ("63=i", "= 63+i"),
        ("0=p 41,63=i", "cap_chown=p 41,63+i"),
        ("=eip", "=eip"),
    ];
    for (text, printed) in cases {
        assert_eq!(canonical(text), printed, "{text:?}");
    }
}

#[test]
fn the_kernel_with_fewer_capabilities_has_a_smaller_all() {
    assert_eq!(to_text(&from_text("=p", 38).unwrap(), 38), "=p");
    let three = from_text("=p", 3).unwrap();
    assert_eq!(
        to_text(&three, 0),
        "= cap_chown,cap_dac_override,cap_dac_read_search+p"
    );
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(e: u64, p: u64, i: u64, max_bits in 0u8..=64) {
        let [effective, permitted, inheritable] = [e, p, i].map(CapSet::from_bits);
        let caps = Caps { effective, permitted, inheritable, ns_owner: 0 };
        prop_assert_eq!(from_text(&to_text(&caps, max_bits), max_bits), Ok(caps));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}", near in "([0a=+,eip -]|cap_|all|chown){0,12}") {
        for text in [text, near] {
            if let Ok(caps) = from_text(&text, N) {
                prop_assert_eq!(from_text(&to_text(&caps, N), N), Ok(caps));
            }
        }
    }
}
