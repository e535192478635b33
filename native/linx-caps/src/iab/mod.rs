//! The IAB tuple: what a process hands on over `execve` (cap_iab(3)).

mod text;

pub use text::{from_text, to_text};

use crate::capset::CapSet;
use crate::plan::{Privilege, Step};
use crate::state::State;

/// One of the three vectors of an [`Iab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Vector {
    /// `I`: the inheritable set.
    Inheritable,
    /// `A`: the ambient set, always within `I`.
    Ambient,
    /// `B`: what is *blocked*, dropped from the bounding set.
    Bound,
}

/// Inheritable and ambient capabilities, and those blocked from the bounding set.
///
/// The empty tuple is mostly harmless: it raises nothing and blocks nothing. Ambient is kept within
/// inheritable, as the kernel does: setting ambient sets inheritable, clearing inheritable clears
/// ambient.
///
/// ```
/// use linx_caps::{iab::{Iab, Vector}, CapSet};
/// let mut iab = Iab::new();
/// iab.set_vector(Vector::Ambient, CapSet::single(10), true);
/// assert!(iab.get_vector(Vector::Inheritable, 10));
/// iab.set_vector(Vector::Inheritable, CapSet::single(10), false);
/// assert_eq!(iab, Iab::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Iab {
    inheritable: CapSet,
    ambient: CapSet,
    blocked: CapSet,
}

impl Iab {
    /// The empty tuple (cap_iab_init(3)).
    ///
    /// ```
    /// use linx_caps::{iab::{Iab, Vector}, CapSet};
    /// assert_eq!(Iab::new().vector(Vector::Bound), CapSet::EMPTY);
    /// ```
    pub const fn new() -> Iab {
        Iab {
            inheritable: CapSet::EMPTY,
            ambient: CapSet::EMPTY,
            blocked: CapSet::EMPTY,
        }
    }

    /// The tuple of these sets (cap_iab_set_vector(3) of each); ambient is made inheritable, too.
    ///
    /// ```
    /// use linx_caps::{iab::{Iab, Vector}, CapSet};
    /// let iab = Iab::from_sets(CapSet::EMPTY, CapSet::single(5), CapSet::single(0));
    /// assert_eq!(iab.vector(Vector::Inheritable), CapSet::single(5));
    /// ```
    pub const fn from_sets(inheritable: CapSet, ambient: CapSet, blocked: CapSet) -> Iab {
        Iab {
            inheritable: inheritable.union(ambient),
            ambient,
            blocked,
        }
    }

    /// The tuple of a process (cap_iab_get_pid(3)): blocked is what its bounding set lacks of the
    /// `max_bits` capabilities the running kernel has.
    ///
    /// ```
    /// use linx_caps::{iab::{Iab, Vector}, CapSet, State};
    /// let state = State { bounding: CapSet::below(40), ..State::default() };
    /// assert_eq!(Iab::from_state(&state, 41).vector(Vector::Bound), CapSet::single(40));
    /// ```
    pub fn from_state(state: &State, max_bits: u8) -> Iab {
        let mut iab = Iab::new();
        iab.fill(Vector::Inheritable, state.inheritable, max_bits);
        iab.fill(Vector::Ambient, state.ambient, max_bits);
        iab.fill(Vector::Bound, state.bounding, max_bits);
        iab
    }

    /// One of the vectors (cap_iab_get_vector(3) of each capability).
    ///
    /// ```
    /// use linx_caps::iab::{from_text, Vector};
    /// assert_eq!(from_text("!cap_kill")?.vector(Vector::Bound).bits(), 0x20);
    /// # Ok::<(), linx_caps::text::TextError>(())
    /// ```
    pub const fn vector(&self, vector: Vector) -> CapSet {
        match vector {
            Vector::Inheritable => self.inheritable,
            Vector::Ambient => self.ambient,
            Vector::Bound => self.blocked,
        }
    }

    /// Whether one capability is raised in a vector (cap_iab_get_vector(3)).
    ///
    /// ```
    /// use linx_caps::iab::{Iab, Vector};
    /// assert!(!Iab::new().get_vector(Vector::Bound, 0));
    /// ```
    pub const fn get_vector(&self, vector: Vector, bit: u8) -> bool {
        self.vector(vector).contains(bit)
    }

    /// Raises or lowers capabilities in a vector (cap_iab_set_vector(3)).
    ///
    /// ```
    /// use linx_caps::{iab::{to_text, Iab, Vector}, CapSet};
    /// let mut iab = Iab::new();
    /// iab.set_vector(Vector::Bound, CapSet::single(0), true);
    /// assert_eq!(to_text(&iab, 41), "!cap_chown");
    /// ```
    pub fn set_vector(&mut self, vector: Vector, caps: CapSet, raised: bool) {
        let old = self.vector(vector);
        let new = if raised {
            old.union(caps)
        } else {
            old.difference(caps)
        };
        self.replace(vector, new);
    }

    /// Replaces a vector by a set (cap_iab_fill(3)). The bound vector takes the set's inverse, of
    /// the `max_bits` capabilities the running kernel has: what is in `set` is not blocked.
    ///
    /// ```
    /// use linx_caps::{iab::{Iab, Vector}, CapSet};
    /// let mut iab = Iab::new();
    /// iab.fill(Vector::Bound, CapSet::below(41), 41);
    /// assert_eq!(iab, Iab::new());
    /// ```
    pub fn fill(&mut self, vector: Vector, set: CapSet, max_bits: u8) {
        match vector {
            Vector::Bound => self.replace(vector, CapSet::below(max_bits).difference(set)),
            Vector::Inheritable | Vector::Ambient => self.replace(vector, set),
        }
    }

    /// In which vectors two tuples differ (cap_iab_compare(3)).
    ///
    /// ```
    /// use linx_caps::iab::{from_text, Iab, Vector};
    /// let diff = from_text("^cap_kill")?.compare(&Iab::new());
    /// assert!(diff.has(Vector::Inheritable) && diff.has(Vector::Ambient) && !diff.has(Vector::Bound));
    /// # Ok::<(), linx_caps::text::TextError>(())
    /// ```
    pub fn compare(&self, other: &Iab) -> IabDiff {
        IabDiff {
            inheritable: self.inheritable != other.inheritable,
            ambient: self.ambient != other.ambient,
            bound: self.blocked != other.blocked,
        }
    }

    /// The steps that give a thread this tuple (cap_iab_set_proc(3)), in the one order that works:
    /// inheritable before ambient, and bounding last. Nothing brings back what the bounding set
    /// has lost.
    ///
    /// ```
    /// use linx_caps::{iab::from_text, plan::Step, CapSet};
    /// let steps = from_text("^cap_kill")?.plan();
    /// assert!(steps.contains(&Step::SetAmbient(CapSet::single(5))));
    /// # Ok::<(), linx_caps::text::TextError>(())
    /// ```
    pub fn plan(&self) -> Vec<Step> {
        vec![
            Privilege::DropBounding.raised(),
            Step::SetThread {
                effective: None,
                permitted: None,
                inheritable: Some(self.inheritable),
            },
            Step::SetAmbient(self.ambient),
            Step::DropBounding(self.blocked),
            Step::RestoreEffective,
        ]
    }

    fn replace(&mut self, vector: Vector, set: CapSet) {
        match vector {
            Vector::Inheritable => {
                self.inheritable = set;
                self.ambient = self.ambient.intersection(set);
            }
            Vector::Ambient => {
                self.ambient = set;
                self.inheritable = self.inheritable.union(set);
            }
            Vector::Bound => self.blocked = set,
        }
    }
}

/// In which vectors two [`Iab`]s differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IabDiff {
    /// The inheritable vectors differ.
    pub inheritable: bool,
    /// The ambient vectors differ.
    pub ambient: bool,
    /// The bound vectors differ.
    pub bound: bool,
}

impl IabDiff {
    /// Whether the two differ in this vector (`CAP_IAB_DIFFERS` in cap_iab_compare(3)).
    ///
    /// ```
    /// use linx_caps::iab::{IabDiff, Vector};
    /// assert!(!IabDiff::default().has(Vector::Bound));
    /// ```
    pub const fn has(self, vector: Vector) -> bool {
        match vector {
            Vector::Inheritable => self.inheritable,
            Vector::Ambient => self.ambient,
            Vector::Bound => self.bound,
        }
    }

    /// Whether the two agree in every vector, for which cap_iab_compare(3) answers 0.
    ///
    /// ```
    /// use linx_caps::iab::Iab;
    /// assert!(Iab::new().compare(&Iab::new()).is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        !(self.inheritable || self.ambient || self.bound)
    }
}

#[cfg(test)]
mod tests;
