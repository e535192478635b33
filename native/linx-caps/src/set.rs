//! The E/P/I triple: what libcap calls a `cap_t` (cap_init(3), cap_get_flag(3), cap_fill(3)).

use crate::capset::CapSet;

/// One of the three flags a capability can have in a [`Caps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `e`: in the effective set.
    Effective,
    /// `p`: in the permitted set.
    Permitted,
    /// `i`: in the inheritable set.
    Inheritable,
}

impl Flag {
    /// The three flags in the order texts print them: e, i, p.
    pub const TEXT_ORDER: [Flag; 3] = [Flag::Effective, Flag::Inheritable, Flag::Permitted];

    /// The letter of cap_from_text(3).
    ///
    /// ```
    /// use linx_caps::set::Flag;
    /// assert_eq!(Flag::Inheritable.letter(), 'i');
    /// ```
    pub const fn letter(self) -> char {
        match self {
            Flag::Effective => 'e',
            Flag::Permitted => 'p',
            Flag::Inheritable => 'i',
        }
    }

    /// The flag of a letter, which is lower case (cap_from_text(3)).
    ///
    /// ```
    /// use linx_caps::set::Flag;
    /// assert_eq!(Flag::from_letter(b'p'), Some(Flag::Permitted));
    /// assert_eq!(Flag::from_letter(b'P'), None);
    /// ```
    pub const fn from_letter(letter: u8) -> Option<Flag> {
        match letter {
            b'e' => Some(Flag::Effective),
            b'p' => Some(Flag::Permitted),
            b'i' => Some(Flag::Inheritable),
            _ => None,
        }
    }
}

/// Effective, permitted and inheritable capabilities of a process or a file, with the user
/// namespace a file's belong to.
///
/// Nothing is checked here: any combination can be held, and the kernel judges it when it is
/// applied.
///
/// ```
/// use linx_caps::{set::{Caps, Flag}, Cap, CapSet};
/// let mut caps = Caps::new();
/// caps.set_flag(Flag::Permitted, CapSet::single(Cap::SETUID), true);
/// caps.fill(Flag::Effective, Flag::Permitted);
/// assert!(caps.get_flag(Flag::Effective, Cap::SETUID));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Caps {
    /// The effective capabilities.
    pub effective: CapSet,
    /// The permitted capabilities.
    pub permitted: CapSet,
    /// The inheritable capabilities.
    pub inheritable: CapSet,
    /// The uid that is root in the user namespace file capabilities are for; 0 for the present
    /// one (cap_set_nsowner in cap_get_file(3)).
    pub ns_owner: u32,
}

impl Caps {
    /// No capability at all (cap_init(3)).
    ///
    /// ```
    /// use linx_caps::{set::Caps, CapSet};
    /// assert_eq!(Caps::new().permitted, CapSet::EMPTY);
    /// ```
    #[inline(always)]
    pub const fn new() -> Caps {
        Caps {
            effective: CapSet::EMPTY,
            permitted: CapSet::EMPTY,
            inheritable: CapSet::EMPTY,
            ns_owner: 0,
        }
    }

    /// All capabilities that have a flag (cap_get_flag(3) of each).
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let caps = Caps { inheritable: CapSet::single(3), ..Caps::new() };
    /// assert_eq!(caps.flag(Flag::Inheritable), CapSet::single(3));
    /// ```
    pub const fn flag(&self, flag: Flag) -> CapSet {
        match flag {
            Flag::Effective => self.effective,
            Flag::Permitted => self.permitted,
            Flag::Inheritable => self.inheritable,
        }
    }

    /// Whether one capability has a flag (cap_get_flag(3)).
    ///
    /// ```
    /// use linx_caps::set::{Caps, Flag};
    /// assert!(!Caps::new().get_flag(Flag::Effective, 0));
    /// ```
    pub const fn get_flag(&self, flag: Flag, bit: u8) -> bool {
        self.flag(flag).contains(bit)
    }

    /// Gives a flag to capabilities, or takes it from them (cap_set_flag(3)).
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let mut caps = Caps::new();
    /// caps.set_flag(Flag::Permitted, CapSet::from_bits(0b11), true);
    /// caps.set_flag(Flag::Permitted, CapSet::from_bits(0b01), false);
    /// assert_eq!(caps.permitted, CapSet::single(1));
    /// ```
    pub fn set_flag(&mut self, flag: Flag, caps: CapSet, raised: bool) {
        let old = self.flag(flag);
        *self.flag_mut(flag) = if raised {
            old.union(caps)
        } else {
            old.difference(caps)
        };
    }

    /// Copies one flag to another (cap_fill(3)).
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let mut caps = Caps { permitted: CapSet::single(5), ..Caps::new() };
    /// caps.fill(Flag::Effective, Flag::Permitted);
    /// assert_eq!(caps.effective, CapSet::single(5));
    /// ```
    pub fn fill(&mut self, to: Flag, from: Flag) {
        *self.flag_mut(to) = self.flag(from);
    }

    /// Copies a flag of another triple (cap_fill_flag(3)).
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let reference = Caps { permitted: CapSet::single(5), ..Caps::new() };
    /// let mut caps = Caps::new();
    /// caps.fill_flag(Flag::Inheritable, &reference, Flag::Permitted);
    /// assert_eq!(caps.inheritable, CapSet::single(5));
    /// ```
    pub fn fill_flag(&mut self, to: Flag, reference: &Caps, from: Flag) {
        *self.flag_mut(to) = reference.flag(from);
    }

    /// Takes every flag from every capability and forgets the namespace owner (cap_clear(3)).
    ///
    /// ```
    /// use linx_caps::{set::Caps, CapSet};
    /// let mut caps = Caps { permitted: CapSet::KNOWN, ns_owner: 1000, ..Caps::new() };
    /// caps.clear();
    /// assert_eq!(caps, Caps::new());
    /// ```
    pub fn clear(&mut self) {
        *self = Caps::new();
    }

    /// Takes one flag from every capability (cap_clear_flag(3)).
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let mut caps = Caps { permitted: CapSet::KNOWN, ..Caps::new() };
    /// caps.clear_flag(Flag::Permitted);
    /// assert!(caps.permitted.is_empty());
    /// ```
    pub fn clear_flag(&mut self, flag: Flag) {
        *self.flag_mut(flag) = CapSet::EMPTY;
    }

    /// In which flags two triples differ (cap_compare(3)); the namespace owner is not asked.
    ///
    /// ```
    /// use linx_caps::{set::{Caps, Flag}, CapSet};
    /// let diff = Caps::new().compare(&Caps { effective: CapSet::KNOWN, ..Caps::new() });
    /// assert!(diff.has(Flag::Effective) && !diff.has(Flag::Permitted));
    /// ```
    pub fn compare(&self, other: &Caps) -> Diff {
        Diff {
            effective: self.effective != other.effective,
            permitted: self.permitted != other.permitted,
            inheritable: self.inheritable != other.inheritable,
        }
    }

    fn flag_mut(&mut self, flag: Flag) -> &mut CapSet {
        match flag {
            Flag::Effective => &mut self.effective,
            Flag::Permitted => &mut self.permitted,
            Flag::Inheritable => &mut self.inheritable,
        }
    }
}

/// In which flags two [`Caps`] differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diff {
    /// The effective sets differ.
    pub effective: bool,
    /// The permitted sets differ.
    pub permitted: bool,
    /// The inheritable sets differ.
    pub inheritable: bool,
}

impl Diff {
    /// Whether the two differ in this flag (`CAP_DIFFERS` in cap_compare(3)).
    ///
    /// ```
    /// use linx_caps::set::{Diff, Flag};
    /// assert!(!Diff::default().has(Flag::Effective));
    /// ```
    pub const fn has(self, flag: Flag) -> bool {
        match flag {
            Flag::Effective => self.effective,
            Flag::Permitted => self.permitted,
            Flag::Inheritable => self.inheritable,
        }
    }

    /// Whether the two agree in every flag, for which cap_compare(3) answers 0.
    ///
    /// ```
    /// use linx_caps::set::Caps;
    /// assert!(Caps::new().compare(&Caps::new()).is_empty());
    /// ```
    pub const fn is_empty(self) -> bool {
        !(self.effective || self.permitted || self.inheritable)
    }
}
