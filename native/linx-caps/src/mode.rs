//! libcap's modes: one word for a combination of secure bits and sets (cap_get_mode(3)).

use crate::capset::CapSet;
use crate::iab::Vector;
use crate::plan::{Privilege, Step};
use crate::securebits::{locked, Securebits};
use crate::state::State;

/// The secure bits that must be set for a process to be in a mode at all.
const BASIC: Securebits = locked(Securebits::NOROOT.union(Securebits::NO_SETUID_FIXUP))
    .union(Securebits::KEEP_CAPS.lock());

/// The secure bits every mode but [`Mode::Hybrid`] has.
const SECURED: Securebits = BASIC.union(locked(Securebits::NO_CAP_AMBIENT_RAISE));

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
    /// The mode of a process (cap_get_mode(3)).
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

    /// The steps that bring a thread into the mode (cap_set_mode(3)); [`Mode::Uncertain`] is no
    /// mode to enter and has none. The effective set ends empty, whatever it was.
    ///
    /// ```
    /// use linx_caps::{mode::Mode, plan::Step};
    /// assert!(Mode::Nopriv.plan().is_some_and(|steps| steps.contains(&Step::SetNoNewPrivs)));
    /// assert_eq!(Mode::Uncertain.plan(), None);
    /// ```
    pub fn plan(self) -> Option<Vec<Step>> {
        let cleared = Some(CapSet::EMPTY);
        let (permitted, inheritable) = match self {
            Mode::Uncertain => return None,
            Mode::Nopriv => (cleared, cleared),
            Mode::Pure1eInit => (None, cleared),
            Mode::Pure1e | Mode::Hybrid => (None, None),
        };
        let mut steps = vec![Privilege::SetSecurebits.raised()];
        match self {
            Mode::Hybrid => steps.push(Step::SetSecurebits(Securebits::NONE)),
            _ => steps.extend([
                Step::SetAmbient(CapSet::EMPTY),
                Step::SetSecurebits(SECURED),
            ]),
        }
        if self == Mode::Nopriv {
            steps.extend([Step::DropBounding(CapSet::ALL), Step::SetNoNewPrivs]);
        }
        steps.push(Step::SetThread {
            effective: cleared,
            permitted,
            inheritable,
        });
        Some(steps)
    }

    /// Whether entering the mode (cap_set_mode(3)) empties this vector of a thread, so that who wants both asks for
    /// what cannot be. `Bound` is what is *blocked*: no mode unblocks anything.
    ///
    /// ```
    /// use linx_caps::{iab::Vector, mode::Mode};
    /// assert!(Mode::Pure1e.empties(Vector::Ambient));
    /// assert!(!Mode::Pure1e.empties(Vector::Inheritable));
    /// ```
    pub fn empties(self, vector: Vector) -> bool {
        let steps = self.plan().unwrap_or_default();
        steps.iter().any(|step| match (vector, step) {
            (Vector::Ambient, Step::SetAmbient(set)) => set.is_empty(),
            (Vector::Inheritable, Step::SetThread { inheritable, .. }) => {
                inheritable.is_some_and(CapSet::is_empty)
            }
            _ => false,
        })
    }

    /// The modes that can be entered, each with a [`plan`](Mode::plan).
    pub const ENTERED: [Mode; 4] = [Mode::Nopriv, Mode::Pure1eInit, Mode::Pure1e, Mode::Hybrid];

    /// The name of cap_mode_name(3) in lower case, as atoms have it.
    ///
    /// ```
    /// use linx_caps::mode::Mode;
    /// assert_eq!(Mode::Pure1eInit.word(), "pure1e_init");
    /// ```
    pub fn word(self) -> String {
        self.name().to_ascii_lowercase()
    }

    /// The mode to enter of a [`word`](Mode::word); `None` for all else, and for `uncertain`, which cap_set_mode(3)
    /// does not enter either.
    ///
    /// ```
    /// use linx_caps::mode::Mode;
    /// assert_eq!(Mode::from_word(b"hybrid"), Some(Mode::Hybrid));
    /// assert_eq!(Mode::from_word(b"HYBRID"), None);
    /// assert_eq!(Mode::from_word(b"uncertain"), None);
    /// ```
    pub fn from_word(word: &[u8]) -> Option<Mode> {
        let is_meant = |mode: &Mode| mode.word().as_bytes() == word;
        Mode::ENTERED.into_iter().find(is_meant)
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
    use crate::simulated::Thread;

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

    #[test]
    fn the_plan_leads_into_the_mode() {
        let mut begun = Thread::root();
        begun.state.inheritable = SOME;
        begun.state.ambient = SOME;
        for mode in Mode::ENTERED {
            let mut thread = begun.clone();
            assert_eq!(thread.take_all(&mode.plan().unwrap()), Ok(()));
            assert_eq!(Mode::of(thread.securebits, &thread.state), mode);
            assert_eq!(thread.state.effective, CapSet::EMPTY);
            assert_eq!(thread.no_new_privs, mode == Mode::Nopriv);
        }
    }

    #[test]
    fn only_nopriv_drops_and_forbids() {
        let drops = Step::DropBounding(CapSet::ALL);
        for mode in [Mode::Pure1eInit, Mode::Pure1e, Mode::Hybrid] {
            let steps = mode.plan().unwrap();
            assert!(!steps.contains(&Step::SetNoNewPrivs) && !steps.contains(&drops));
        }
        assert!(Mode::Nopriv.plan().unwrap().contains(&drops));
    }
}
