//! The secure bits of a thread (capabilities(7), "The securebits flags"; `linux/securebits.h`).

use thiserror::Error;

/// A thread's secure bits. Each flag has a lock, the next higher bit, which can only be set and
/// keeps the flag as it is.
///
/// ```
/// use linx_caps::securebits::Securebits;
/// let bits = Securebits::NOROOT.union(Securebits::NOROOT.lock());
/// assert_eq!(bits.bits(), 0x3);
/// assert_eq!(bits.names().collect::<Vec<_>>(), ["noroot", "noroot_locked"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Securebits(u32);

/// The flags and their locks as prctl(2) calls them, without `SECBIT_` and in lower case.
const NAMES: [(Securebits, &str); 12] = [
    (Securebits::NOROOT, "noroot"),
    (Securebits::NOROOT.lock(), "noroot_locked"),
    (Securebits::NO_SETUID_FIXUP, "no_setuid_fixup"),
    (Securebits::NO_SETUID_FIXUP.lock(), "no_setuid_fixup_locked"),
    (Securebits::KEEP_CAPS, "keep_caps"),
    (Securebits::KEEP_CAPS.lock(), "keep_caps_locked"),
    (Securebits::NO_CAP_AMBIENT_RAISE, "no_cap_ambient_raise"),
    (
        Securebits::NO_CAP_AMBIENT_RAISE.lock(),
        "no_cap_ambient_raise_locked",
    ),
    (Securebits::EXEC_RESTRICT_FILE, "exec_restrict_file"),
    (
        Securebits::EXEC_RESTRICT_FILE.lock(),
        "exec_restrict_file_locked",
    ),
    (Securebits::EXEC_DENY_INTERACTIVE, "exec_deny_interactive"),
    (
        Securebits::EXEC_DENY_INTERACTIVE.lock(),
        "exec_deny_interactive_locked",
    ),
];

impl Securebits {
    /// None set: uid 0 is privileged, the traditional way.
    pub const NONE: Securebits = Securebits(0);
    /// uid 0 and setuid-root files get no capabilities at `execve`.
    pub const NOROOT: Securebits = Securebits(0x1);
    /// Changes of user ids do not touch capabilities.
    pub const NO_SETUID_FIXUP: Securebits = Securebits(0x4);
    /// A change of uids from 0 keeps the permitted set; every `execve` clears this bit.
    pub const KEEP_CAPS: Securebits = Securebits(0x10);
    /// No capability can be raised in the ambient set.
    pub const NO_CAP_AMBIENT_RAISE: Securebits = Securebits(0x40);
    /// Interpreters shall execute only files the kernel would (since Linux 6.14).
    pub const EXEC_RESTRICT_FILE: Securebits = Securebits(0x100);
    /// Interpreters shall not execute what is typed in (since Linux 6.14).
    pub const EXEC_DENY_INTERACTIVE: Securebits = Securebits(0x400);

    /// Every bit the kernel knows, locks included.
    pub const KNOWN: Securebits = Securebits(0xfff);
    /// Every lock.
    pub const LOCKS: Securebits = Securebits(0xaaa);
    /// The bits, and their locks, that need no privilege: only user space heeds them.
    pub const UNPRIVILEGED: Securebits =
        locked(Securebits::EXEC_RESTRICT_FILE.union(Securebits::EXEC_DENY_INTERACTIVE));

    /// From the number of `PR_GET_SECUREBITS` (prctl(2)).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert!(Securebits::from_bits(0x2f).contains(Securebits::NOROOT));
    /// ```
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Securebits {
        Securebits(bits)
    }

    /// The number for `PR_SET_SECUREBITS` (prctl(2)).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::KEEP_CAPS.bits(), 0x10);
    /// ```
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The locks of these flags: for each the next higher bit (`linux/securebits.h`).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::NOROOT.lock().bits(), 0x2);
    /// ```
    #[must_use]
    pub const fn lock(self) -> Securebits {
        Securebits((self.0 & !Securebits::LOCKS.0) << 1)
    }

    /// Bits of either, as prctl(2) takes several `SECBIT_` constants.
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::NOROOT.union(Securebits::KEEP_CAPS).bits(), 0x11);
    /// ```
    #[must_use]
    pub const fn union(self, other: Securebits) -> Securebits {
        Securebits(self.0 | other.0)
    }

    /// Bits of this that are not in the other (of the constants in `linux/securebits.h`).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::KNOWN.difference(Securebits::LOCKS).bits(), 0x555);
    /// ```
    #[must_use]
    pub const fn difference(self, other: Securebits) -> Securebits {
        Securebits(self.0 & !other.0)
    }

    /// Whether every bit of `other` is set (`issecure` in the kernel's include/linux/securebits.h, for one bit).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert!(Securebits::KNOWN.contains(Securebits::NOROOT));
    /// ```
    #[inline(always)]
    pub const fn contains(self, other: Securebits) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether a thread with these bits that has this uid, real or effective, counts as root at
    /// an `execve` (`handle_privileged_root` in security/commoncap.c).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert!(Securebits::NONE.is_root(0));
    /// assert!(!Securebits::NONE.is_root(1000) && !Securebits::NOROOT.is_root(0));
    /// ```
    #[inline(always)]
    pub const fn is_root(self, uid: u32) -> bool {
        uid == 0 && !self.contains(Securebits::NOROOT)
    }

    /// The names of the set bits (`SECBIT_…` in capabilities(7)), from the lowest up; bits without a name are left out.
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::from_bits(0x30).names().collect::<Vec<_>>(), ["keep_caps", "keep_caps_locked"]);
    /// ```
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .iter()
            .filter(move |(bit, _)| self.contains(*bit))
            .map(|(_, name)| *name)
    }

    /// The bit of a name of [`names`](Securebits::names), which must be exact (`SECBIT_…` in capabilities(7)).
    ///
    /// ```
    /// use linx_caps::securebits::Securebits;
    /// assert_eq!(Securebits::from_name("noroot"), Some(Securebits::NOROOT));
    /// assert_eq!(Securebits::from_name("root"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Securebits> {
        NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(bit, _)| *bit)
    }

    /// Whether the kernel lets a thread with these bits write `new`; `setpcap` says whether
    /// `cap_setpcap` is in its effective set (`cap_task_prctl` in security/commoncap.c).
    ///
    /// # Errors
    /// The rule that forbids it; the kernel answers each with `EPERM`.
    ///
    /// ```
    /// use linx_caps::securebits::{Securebits, SecurebitsError};
    /// let locked = Securebits::NOROOT.lock();
    /// assert_eq!(Securebits::NONE.check_write(locked, true), Ok(()));
    /// assert_eq!(locked.check_write(Securebits::NONE, true), Err(SecurebitsError::Unlocks));
    /// assert_eq!(Securebits::NONE.check_write(locked, false), Err(SecurebitsError::Unprivileged));
    /// ```
    pub const fn check_write(self, new: Securebits, setpcap: bool) -> Result<(), SecurebitsError> {
        let changed = self.0 ^ new.0;
        if !Securebits::KNOWN.contains(new) {
            return Err(SecurebitsError::Unknown);
        }
        if !new.contains(Securebits(self.0 & Securebits::LOCKS.0)) {
            return Err(SecurebitsError::Unlocks);
        }
        if (self.0 & Securebits::LOCKS.0) >> 1 & changed != 0 {
            return Err(SecurebitsError::Locked);
        }
        let free = changed != 0 && changed & !Securebits::UNPRIVILEGED.0 == 0;
        if setpcap || free {
            Ok(())
        } else {
            Err(SecurebitsError::Unprivileged)
        }
    }
}

/// Flags with their locks.
pub(crate) const fn locked(flags: Securebits) -> Securebits {
    flags.union(flags.lock())
}

/// Why the kernel refuses a write of secure bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecurebitsError {
    /// A bit the kernel does not know.
    #[error("a secure bit the kernel does not know")]
    Unknown,
    /// A lock would be cleared.
    #[error("a lock cannot be cleared")]
    Unlocks,
    /// A locked flag would change.
    #[error("a locked flag cannot change")]
    Locked,
    /// `cap_setpcap` is not effective; without it even a write of the same bits is refused.
    #[error("cap_setpcap is not in the effective set")]
    Unprivileged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cover_the_known_bits_and_lead_back() {
        let all = Securebits::KNOWN
            .names()
            .map(|name| Securebits::from_name(name).unwrap())
            .fold(Securebits::NONE, Securebits::union);
        assert_eq!(all, Securebits::KNOWN);
        assert_eq!(Securebits::from_bits(0xf000).names().count(), 0);
    }

    #[test]
    fn a_lock_is_the_next_bit_and_has_none_itself() {
        assert_eq!(Securebits::KNOWN.lock(), Securebits::LOCKS);
        assert_eq!(Securebits::LOCKS.lock(), Securebits::NONE);
    }

    #[test]
    fn each_rule_of_a_write() {
        let cases = [
            (0x0, 0xef, true, Ok(())),
            (0x0, 0xef, false, Err(SecurebitsError::Unprivileged)),
            (0x0, 0x0, false, Err(SecurebitsError::Unprivileged)),
            (0x0, 0x100, false, Ok(())),
            (0x1, 0xf01, false, Ok(())),
            (0x0, 0x101, false, Err(SecurebitsError::Unprivileged)),
            (0x2, 0x3, true, Err(SecurebitsError::Locked)),
            (0x2, 0x1, true, Err(SecurebitsError::Unlocks)),
            (0x200, 0x300, true, Err(SecurebitsError::Locked)),
            (0x2, 0x6, true, Ok(())),
            (0x0, 0x1000, true, Err(SecurebitsError::Unknown)),
        ];
        for (old, new, setpcap, answer) in cases {
            let (old, new) = (Securebits::from_bits(old), Securebits::from_bits(new));
            assert_eq!(old.check_write(new, setpcap), answer, "{old:?} {new:?}");
        }
    }
}
