//! libcap's modes: one word for a combination of secure bits and sets (cap_get_mode(3)).

use crate::cap::Cap;
use crate::capset::CapSet;
use crate::plan::Step;
use crate::securebits::Securebits;
use crate::state::State;

/// The secure bits every mode but [`Mode::Hybrid`] has.
const SECURED: Securebits = Securebits::from_bits(0xef);

/// Those of them that must be set for a process to be in a mode at all.
const BASIC: Securebits = Securebits::from_bits(0x2f);

/// How a process stands to root and capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// None of the others.
    Uncertain,
    /// Capabilities only, and neither the process nor what it executes can have any.
    Nopriv,
    /// Capabilities only, with nothing inheritable.
    Pure1eInit,
    /// Capabilities only: uid 0 means nothing.
    Pure1e,
    /// The traditional way: uid 0 and capabilities both count.
    Hybrid,
}

impl Mode {
    /// The mode of a process (`cap_get_mode`).
    ///
    /// ```
    /// use linx_caps::{mode::Mode, securebits::Securebits, State};
    /// let empty = State::default();
    /// assert_eq!(Mode::of(Securebits::NONE, &empty), Mode::Hybrid);
    /// assert_eq!(Mode::of(Securebits::from_bits(0xef), &empty), Mode::Nopriv);
    /// assert_eq!(Mode::of(Securebits::NOROOT, &empty), Mode::Uncertain);
    /// ```
    pub fn of(securebits: Securebits, state: &State) -> Mode {
        if securebits == Securebits::NONE {
            return Mode::Hybrid;
        }
        if !securebits.contains(BASIC) || !state.ambient.is_empty() || securebits != SECURED {
            return Mode::Uncertain;
        }
        if !state.inheritable.is_empty() {
            return Mode::Pure1e;
        }
        if state.union().is_empty() {
            Mode::Nopriv
        } else {
            Mode::Pure1eInit
        }
    }

    /// The steps that bring a thread into the mode (`cap_set_mode`); [`Mode::Uncertain`] is no
    /// mode to enter and has none. The effective set ends empty, whatever it was.
    ///
    /// ```
    /// use linx_caps::{mode::Mode, plan::Step, State};
    /// let steps = Mode::Nopriv.plan(&State::default()).unwrap_or_default();
    /// assert!(steps.contains(&Step::SetNoNewPrivs));
    /// assert_eq!(Mode::Uncertain.plan(&State::default()), None);
    /// ```
    pub fn plan(self, state: &State) -> Option<Vec<Step>> {
        let (inheritable, last_permitted) = match self {
            Mode::Uncertain => return None,
            Mode::Nopriv => (CapSet::EMPTY, CapSet::EMPTY),
            Mode::Pure1eInit => (CapSet::EMPTY, state.permitted),
            Mode::Pure1e | Mode::Hybrid => (state.inheritable, state.permitted),
        };
        let setpcap = state.permitted.intersection(CapSet::single(Cap::SETPCAP));
        let mut steps = vec![Step::SetThread {
            effective: state.effective.union(setpcap),
            permitted: state.permitted,
            inheritable: state.inheritable,
        }];
        self.push_own_steps(&mut steps, state.bounding);
        steps.push(Step::SetThread {
            effective: CapSet::EMPTY,
            permitted: last_permitted,
            inheritable,
        });
        Some(steps)
    }

    fn push_own_steps(self, steps: &mut Vec<Step>, bounding: CapSet) {
        if self == Mode::Hybrid {
            return steps.push(Step::SetSecurebits(Securebits::NONE));
        }
        steps.extend([Step::ClearAmbient, Step::SetSecurebits(SECURED)]);
        if self == Mode::Nopriv {
            steps.extend(bounding.iter().map(Step::DropBounding));
            steps.push(Step::SetNoNewPrivs);
        }
    }

    /// The name cap_mode_name(3) gives it.
    ///
    /// ```
    /// use linx_caps::mode::Mode;
    /// assert_eq!(Mode::Pure1eInit.name(), "PURE1E_INIT");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Uncertain => "UNCERTAIN",
            Mode::Nopriv => "NOPRIV",
            Mode::Pure1eInit => "PURE1E_INIT",
            Mode::Pure1e => "PURE1E",
            Mode::Hybrid => "HYBRID",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: CapSet = CapSet::single(10);

    fn of(bits: u32, state: State) -> Mode {
        Mode::of(Securebits::from_bits(bits), &state)
    }

    #[test]
    fn each_way_into_a_mode() {
        let empty = State::default();
        assert_eq!(
            of(
                0,
                State {
                    inheritable: SOME,
                    ..empty
                }
            ),
            Mode::Hybrid
        );
        assert_eq!(of(0x2f, empty), Mode::Uncertain);
        assert_eq!(of(0x3ef, empty), Mode::Uncertain);
        assert_eq!(
            of(
                0xef,
                State {
                    ambient: SOME,
                    ..empty
                }
            ),
            Mode::Uncertain
        );
        assert_eq!(
            of(
                0xef,
                State {
                    inheritable: SOME,
                    ..empty
                }
            ),
            Mode::Pure1e
        );
        for state in [
            State {
                permitted: SOME,
                ..empty
            },
            State {
                effective: SOME,
                ..empty
            },
            State {
                bounding: SOME,
                ..empty
            },
        ] {
            assert_eq!(of(0xef, state), Mode::Pure1eInit);
        }
        assert_eq!(of(0xef, empty), Mode::Nopriv);
    }

    /// What a thread that may do everything makes of the steps.
    fn follow(mut state: State, steps: &[Step]) -> (Securebits, State) {
        let mut securebits = Securebits::NONE;
        for step in steps {
            match *step {
                Step::SetThread {
                    effective,
                    permitted,
                    inheritable,
                } => {
                    let ambient = state
                        .ambient
                        .intersection(permitted)
                        .intersection(inheritable);
                    state = State {
                        effective,
                        permitted,
                        inheritable,
                        ambient,
                        ..state
                    };
                }
                Step::ClearAmbient => state.ambient = CapSet::EMPTY,
                Step::RaiseAmbient(bit) => drop(state.ambient.insert(bit)),
                Step::DropBounding(bit) => drop(state.bounding.remove(bit)),
                Step::SetSecurebits(bits) => securebits = bits,
                Step::SetNoNewPrivs => {}
            }
        }
        (securebits, state)
    }

    #[test]
    fn the_plan_leads_into_the_mode() {
        let known = CapSet::KNOWN;
        let state = State {
            inheritable: SOME,
            permitted: known,
            effective: known,
            bounding: known,
            ambient: SOME,
        };
        for mode in [Mode::Nopriv, Mode::Pure1eInit, Mode::Pure1e, Mode::Hybrid] {
            let (securebits, after) = follow(state, &mode.plan(&state).unwrap());
            assert_eq!(Mode::of(securebits, &after), mode);
            assert_eq!(after.effective, CapSet::EMPTY);
        }
    }

    #[test]
    fn only_nopriv_drops_and_forbids() {
        let state = State {
            bounding: SOME,
            ..State::default()
        };
        for mode in [Mode::Pure1eInit, Mode::Pure1e, Mode::Hybrid] {
            let steps = mode.plan(&state).unwrap();
            assert!(!steps.contains(&Step::SetNoNewPrivs));
            assert!(!steps.contains(&Step::DropBounding(10)));
        }
        assert!(Mode::Nopriv
            .plan(&state)
            .unwrap()
            .contains(&Step::DropBounding(10)));
    }
}
