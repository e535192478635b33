use proptest::prelude::*;

use super::*;
use crate::cap::Cap;
use crate::xattr::Revision;

const ALL: CapSet = CapSet::KNOWN;
const SOME: CapSet = CapSet::single(10);
const OTHER: CapSet = CapSet::single(12);
const KERNEL: Kernel = Kernel {
    version: (6, 18),
    max_bits: 41,
};

fn task(uid: u32, state: State) -> Task {
    Task {
        state,
        uid: Ids::all(uid),
        gid: Ids::all(uid),
        groups: vec![],
        securebits: Securebits::NONE,
        no_new_privs: false,
        shared_fs: false,
        weakly_traced: false,
    }
}

fn program(mode: u32) -> Program {
    Program {
        file_caps: None,
        owner: 0,
        group: 0,
        mode,
        nosuid: false,
        foreign_namespace: false,
    }
}

fn with_caps(mode: u32, permitted: CapSet, inheritable: CapSet, effective: bool) -> Program {
    Program {
        file_caps: Some(FileCaps {
            revision: Revision::V2,
            permitted,
            inheritable,
            effective,
            rootid: 0,
        }),
        ..program(mode)
    }
}

fn after(task: &Task, program: &Program) -> Outcome {
    predict(task, program, &KERNEL).unwrap()
}

const BOUND: State = State {
    inheritable: CapSet::EMPTY,
    permitted: CapSet::EMPTY,
    effective: CapSet::EMPTY,
    bounding: ALL,
    ambient: CapSet::EMPTY,
};

#[test]
fn root_regains_what_is_bounding_or_inheritable() {
    let state = State {
        bounding: SOME,
        inheritable: OTHER,
        ..State::default()
    };
    let outcome = after(&task(0, state), &program(0o755));
    assert_eq!(outcome.state.permitted, SOME.union(OTHER));
    assert_eq!(outcome.state.effective, outcome.state.permitted);
    assert!(!outcome.secure_exec);
}

#[test]
fn noroot_makes_root_ordinary() {
    let root = Task {
        securebits: Securebits::NOROOT,
        ..task(0, BOUND)
    };
    assert_eq!(after(&root, &program(0o755)).state, BOUND);
}

#[test]
fn only_a_real_uid_of_0_gives_permitted_and_not_effective() {
    let mut half = task(0, BOUND);
    half.uid = Ids {
        real: 0,
        ..Ids::all(1000)
    };
    let outcome = after(&half, &program(0o755));
    assert_eq!(outcome.state.permitted, ALL);
    assert_eq!(outcome.state.effective, CapSet::EMPTY);
    assert!(outcome.secure_exec);
}

#[test]
fn file_capabilities_without_the_effective_bit_are_not_effective() {
    let outcome = after(
        &task(1000, BOUND),
        &with_caps(0o755, SOME, CapSet::EMPTY, false),
    );
    assert_eq!(
        (outcome.state.permitted, outcome.state.effective),
        (SOME, CapSet::EMPTY)
    );
    assert!(outcome.secure_exec);
}

#[test]
fn a_file_that_insists_is_refused_to_root_too() {
    let state = State {
        bounding: ALL.difference(SOME),
        ..State::default()
    };
    let missing = SOME;
    for uid in [0, 1000] {
        let answer = predict(
            &task(uid, state),
            &with_caps(0o755, SOME.union(OTHER), SOME, true),
            &KERNEL,
        );
        assert_eq!(answer, Err(ExecError::Insufficient { missing }));
    }
    let inheriting = State {
        inheritable: SOME,
        ..state
    };
    let outcome = after(&task(1000, inheriting), &with_caps(0o755, SOME, SOME, true));
    assert_eq!(outcome.state.effective, SOME);
}

#[test]
fn a_file_may_insist_on_what_the_kernel_does_not_have() {
    let future = SOME.union(CapSet::single(63));
    let outcome = after(
        &task(1000, BOUND),
        &with_caps(0o755, future, CapSet::EMPTY, true),
    );
    assert_eq!(outcome.state.permitted, SOME);
}

#[test]
fn setuid_root_with_file_capabilities_gives_only_these() {
    let outcome = after(
        &task(1000, BOUND),
        &with_caps(0o4755, SOME, CapSet::EMPTY, true),
    );
    assert_eq!(outcome.state.permitted, SOME);
    assert_eq!(
        outcome.uid,
        Ids {
            real: 1000,
            ..Ids::all(0)
        }
    );
    let by_root = after(
        &task(0, BOUND),
        &with_caps(0o4755, SOME, CapSet::EMPTY, true),
    );
    assert_eq!(by_root.state.permitted, ALL);
}

#[test]
fn an_empty_attribute_still_clears_ambient() {
    let state = State {
        inheritable: SOME,
        permitted: SOME,
        ambient: SOME,
        ..BOUND
    };
    let outcome = after(
        &task(1000, state),
        &with_caps(0o755, CapSet::EMPTY, CapSet::EMPTY, false),
    );
    assert_eq!(outcome.state.permitted, CapSet::EMPTY);
    let kept = after(&task(1000, state), &program(0o755));
    assert_eq!(kept.state.effective, SOME);
    assert!(!kept.secure_exec);
}

#[test]
fn no_new_privs_voids_set_id_bits_and_keeps_root_from_growing() {
    let user = Task {
        no_new_privs: true,
        ..task(1000, BOUND)
    };
    let outcome = after(&user, &program(0o6755));
    assert_eq!(outcome.uid, Ids::all(1000));
    assert_eq!(outcome.state.permitted, CapSet::EMPTY);
    let root = Task {
        no_new_privs: true,
        ..task(
            0,
            State {
                permitted: SOME,
                ..BOUND
            },
        )
    };
    let outcome = after(&root, &program(0o755));
    assert_eq!(
        (outcome.state.permitted, outcome.state.effective),
        (SOME, SOME)
    );
}

#[test]
fn a_restrained_setuid_program_keeps_its_ids_only_with_cap_setuid() {
    let setuid = CapSet::single(Cap::SETUID);
    for (effective, euid) in [(CapSet::EMPTY, 1000), (setuid, 0)] {
        let state = State {
            permitted: setuid,
            effective,
            ..BOUND
        };
        let shared = Task {
            shared_fs: true,
            ..task(1000, state)
        };
        let traced = Task {
            weakly_traced: true,
            ..task(1000, state)
        };
        for task in [shared, traced] {
            let outcome = after(&task, &program(0o4755));
            assert_eq!(outcome.uid.effective, euid);
            assert_eq!(outcome.state.permitted, setuid);
            assert!(outcome.secure_exec);
        }
    }
}

#[test]
fn untrusted_files_give_nothing() {
    let from = with_caps(0o6755, SOME, CapSet::EMPTY, true);
    let rootid = from.file_caps.map(|caps| FileCaps {
        revision: Revision::V3,
        rootid: 1000,
        ..caps
    });
    for untrusted in [
        Program {
            nosuid: true,
            ..from
        },
        Program {
            foreign_namespace: true,
            ..from
        },
        Program {
            file_caps: rootid,
            ..program(0o755)
        },
    ] {
        let outcome = after(&task(1000, BOUND), &untrusted);
        assert_eq!(outcome.state, BOUND);
        assert_eq!(outcome.uid, Ids::all(1000));
    }
}

#[test]
fn a_setgid_bit_needs_the_execute_bit() {
    assert_eq!(
        after(&task(1000, BOUND), &program(0o2745)).gid,
        Ids::all(1000)
    );
    let outcome = after(&task(1000, BOUND), &program(0o2755));
    assert_eq!(
        outcome.gid,
        Ids {
            real: 1000,
            ..Ids::all(0)
        }
    );
}

#[test]
fn joining_a_group_one_is_in_is_no_change_since_6_16() {
    let state = State {
        inheritable: SOME,
        permitted: SOME,
        ambient: SOME,
        ..BOUND
    };
    let member = Task {
        groups: vec![5, 0],
        ..task(1000, state)
    };
    let new = predict(&member, &program(0o2755), &KERNEL).unwrap();
    assert_eq!(new.state.ambient, SOME);
    let old = predict(
        &member,
        &program(0o2755),
        &Kernel {
            version: (6, 15),
            ..KERNEL
        },
    )
    .unwrap();
    assert_eq!(old.state.ambient, CapSet::EMPTY);
}

#[test]
fn keep_caps_ends_at_exec_and_other_bits_stay() {
    let bits = Securebits::from_bits(0x155);
    let outcome = after(
        &Task {
            securebits: bits,
            ..task(1000, BOUND)
        },
        &program(0o755),
    );
    assert_eq!(outcome.securebits.bits(), 0x145);
}

#[test]
fn every_rule_is_asked_once_in_order_with_words() {
    let findings = explain(&task(0, BOUND), &program(0o755), &KERNEL).findings;
    let rules: Vec<Rule> = findings.iter().map(|finding| finding.rule).collect();
    assert!(rules.is_sorted());
    assert_eq!(rules.len(), 17);
    let mut words: Vec<&str> = rules
        .iter()
        .flat_map(|rule| [rule.formula(), rule.meaning(true), rule.meaning(false)])
        .collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 3 * 17);
}

fn any_set() -> impl Strategy<Value = CapSet> {
    prop_oneof![
        Just(CapSet::EMPTY),
        Just(ALL),
        any::<u64>().prop_map(|bits| CapSet::from_bits(bits).intersection(ALL))
    ]
}

fn any_ids() -> impl Strategy<Value = Ids> {
    let id = || prop_oneof![Just(0u32), Just(1000)];
    (id(), id(), id(), id()).prop_map(|(real, effective, saved, fs)| Ids {
        real,
        effective,
        saved,
        fs,
    })
}

fn any_task() -> impl Strategy<Value = Task> {
    let sets = [any_set(), any_set(), any_set(), any_set(), any_set()];
    let flags = any::<[bool; 3]>();
    (sets, any_ids(), any_ids(), 0u32..0x100, flags).prop_map(
        |(sets, uid, gid, securebits, flags)| {
            let [inheritable, permitted, effective, bounding, ambient] = sets;
            let [no_new_privs, shared_fs, weakly_traced] = flags;
            let effective = effective.intersection(permitted);
            let ambient = ambient.intersection(permitted).intersection(inheritable);
            Task {
                state: State {
                    inheritable,
                    permitted,
                    effective,
                    bounding,
                    ambient,
                },
                uid,
                gid,
                groups: vec![],
                securebits: Securebits::from_bits(securebits),
                no_new_privs,
                shared_fs,
                weakly_traced,
            }
        },
    )
}

fn any_program() -> impl Strategy<Value = Program> {
    let mode = prop_oneof![Just(0o755), Just(0o4755), Just(0o2755), Just(0o6755)];
    let caps = prop::option::of((any_set(), any_set(), any::<bool>()));
    (mode, caps, any::<bool>()).prop_map(|(mode, caps, nosuid)| Program {
        nosuid,
        ..match caps {
            Some((permitted, inheritable, effective)) => {
                with_caps(mode, permitted, inheritable, effective)
            }
            None => program(mode),
        }
    })
}

proptest! {
    #[test]
    fn the_kernels_invariants_hold_after_exec(task in any_task(), program in any_program()) {
        if let Ok(outcome) = predict(&task, &program, &KERNEL) {
            let State { inheritable, permitted, effective, bounding, ambient } = outcome.state;
            prop_assert!(effective.is_subset(permitted));
            prop_assert!(ambient.is_subset(permitted.intersection(inheritable)));
            prop_assert_eq!(inheritable, task.state.inheritable);
            prop_assert_eq!(bounding, task.state.bounding);
            let reachable = task.state.bounding.union(task.state.inheritable).union(task.state.ambient);
            prop_assert!(permitted.is_subset(reachable));
        }
    }

    #[test]
    fn no_new_privs_never_gains(task in any_task(), program in any_program()) {
        let bound = Task { no_new_privs: true, ..task };
        if let Ok(outcome) = predict(&bound, &program, &KERNEL) {
            prop_assert!(outcome.state.permitted.is_subset(bound.state.permitted));
        }
    }
}
