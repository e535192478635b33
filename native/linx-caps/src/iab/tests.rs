use proptest::prelude::*;

use super::*;
use crate::cap::Cap;
use crate::simulated::Thread;
use crate::text::{Expected, TextError};

fn tuple(inheritable: u64, ambient: u64, blocked: u64) -> Iab {
    let [inheritable, ambient, blocked] = [inheritable, ambient, blocked].map(CapSet::from_bits);
    Iab::from_sets(inheritable, ambient, blocked)
}

#[test]
fn marks_and_repeats_merge() {
    let cases = [
        ("", tuple(0, 0, 0)),
        ("cap_chown", tuple(1, 0, 0)),
        ("%cap_chown", tuple(1, 0, 0)),
        ("!cap_chown", tuple(0, 0, 1)),
        ("!%cap_chown", tuple(1, 0, 1)),
        ("^!%CAP_CHOWN", tuple(1, 1, 1)),
        ("^0,!0", tuple(1, 1, 1)),
        ("!!0", tuple(0, 0, 1)),
        ("63,^1", tuple(1 << 63 | 2, 2, 0)),
    ];
    for (text, iab) in cases {
        assert_eq!(from_text(text), Ok(iab), "{text:?}");
    }
}

#[test]
fn each_refusal_says_where_and_what() {
    let cases = [
        ("!", 1, Expected::Capability),
        ("0,", 2, Expected::Capability),
        (",0", 0, Expected::Capability),
        ("0,,1", 2, Expected::Capability),
        (" 0", 0, Expected::Capability),
        ("all", 0, Expected::Capability),
        ("0,64", 2, Expected::Capability),
        ("!chown", 1, Expected::Capability),
        ("0 ,1", 1, Expected::CommaOrEnd),
        ("0^", 1, Expected::CommaOrEnd),
    ];
    for (text, position, expected) in cases {
        let refusal = Err(TextError::Unexpected { position, expected });
        assert_eq!(from_text(text), refusal, "{text:?}");
    }
}

/// The sets of a thread without secure bits once the steps are taken.
fn run(state: State, steps: &[Step]) -> State {
    let mut thread = Thread {
        state,
        ..Thread::root()
    };
    assert_eq!(thread.take_all(steps), Ok(()));
    thread.state
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(i: u64, a: u64, b: u64) {
        let iab = tuple(i, a, b);
        prop_assert_eq!(from_text(&to_text(&iab, 64)), Ok(iab));
    }

    #[test]
    fn sets_become_the_tuple_that_raising_them_makes(i: u64, a: u64, b: u64) {
        let mut raised = Iab::new();
        for (vector, set) in [(Vector::Inheritable, i), (Vector::Ambient, a), (Vector::Bound, b)] {
            raised.set_vector(vector, CapSet::from_bits(set), true);
        }
        prop_assert_eq!(tuple(i, a, b), raised);
    }

    #[test]
    fn ambient_stays_within_inheritable(
        changes in prop::collection::vec((0u8..3, any::<u64>(), any::<bool>()), 0..8)
    ) {
        let mut iab = Iab::new();
        for (vector, set, raised) in changes {
            let vector = [Vector::Inheritable, Vector::Ambient, Vector::Bound][usize::from(vector)];
            iab.set_vector(vector, CapSet::from_bits(set), raised);
            prop_assert!(iab.vector(Vector::Ambient).is_subset(iab.vector(Vector::Inheritable)));
        }
    }

    #[test]
    fn a_privileged_thread_gets_the_tuple_and_keeps_its_effective_set(
        i: u64, a: u64, b: u64, effective: u64, bounding: u64
    ) {
        let known = CapSet::KNOWN;
        let state = State {
            permitted: known,
            effective: CapSet::from_bits(effective).intersection(known),
            bounding: CapSet::from_bits(bounding).intersection(known),
            ..State::default()
        };
        let within = state.bounding.bits();
        let iab = tuple(i & within, a & within, b);
        let after = run(state, &iab.plan());
        prop_assert_eq!(after.inheritable, iab.inheritable);
        prop_assert_eq!(after.ambient, iab.ambient);
        prop_assert_eq!(after.bounding, state.bounding.difference(iab.blocked));
        prop_assert_eq!(after.effective, state.effective);
        prop_assert_eq!(after.permitted, state.permitted);
    }

    #[test]
    fn an_unprivileged_thread_may_hand_on_what_it_has(held: u64, ambient: u64) {
        let held = held & CapSet::KNOWN.bits() & !CapSet::single(Cap::SETPCAP).bits();
        let state = State { permitted: CapSet::from_bits(held), inheritable: CapSet::from_bits(held), ..State::default() };
        let iab = tuple(held, ambient & held, 0);
        let after = run(state, &iab.plan());
        prop_assert_eq!(after.ambient, iab.ambient);
        prop_assert_eq!(after.effective, CapSet::EMPTY);
    }

    #[test]
    fn no_text_panics(text in "[!^%,a-z0-9_]{0,30}") {
        if let Ok(iab) = from_text(&text) {
            prop_assert_eq!(from_text(&to_text(&iab, 64)), Ok(iab));
        }
    }
}
