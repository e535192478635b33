//! The steps whose outcome depends on what the thread has, worked out by the thread itself.
//!
//! A child between its clone and its execve runs this, and may do nothing there but compute:
//! everything is inlined, and nothing allocates or panics.

use crate::capset::CapSet;
use crate::plan::Privilege;
use crate::securebits::Securebits;
use crate::set::Caps;

/// Adds what is permitted of `needed` to the effective set, as libcap does before it needs it
/// (`cap_setuid` and others in libcap's cap_proc.c).
///
/// ```
/// use linx_caps::{confine::raise_effective, set::Caps, CapSet};
/// let now = Caps { permitted: CapSet::from_bits(0b011), ..Caps::new() };
/// assert_eq!(raise_effective(now, CapSet::from_bits(0b110)).effective.bits(), 0b010);
/// ```
#[must_use]
#[inline(always)]
pub const fn raise_effective(now: Caps, needed: CapSet) -> Caps {
    Caps {
        effective: now.effective.union(now.permitted.intersection(needed)),
        ..now
    }
}

/// Makes the effective set what it was, as far as that is still permitted: more than that
/// capset(2) refuses.
///
/// ```
/// use linx_caps::{confine::restore_effective, set::Caps, CapSet};
/// let now = Caps { permitted: CapSet::from_bits(0b011), ..Caps::new() };
/// assert_eq!(restore_effective(now, CapSet::from_bits(0b110)).effective.bits(), 0b010);
/// ```
#[must_use]
#[inline(always)]
pub const fn restore_effective(now: Caps, before: CapSet) -> Caps {
    Caps {
        effective: now.permitted.intersection(before),
        ..now
    }
}

/// How a thread comes to have at most certain capabilities, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepOnly {
    /// The thread's sets while all else is dropped from the bounding set; not needed where that is
    /// nothing.
    pub dropping: Caps,
    /// The thread's sets afterwards.
    pub left: Caps,
    /// The ambient set then.
    pub ambient: CapSet,
}

/// Leaves at most `keep` in every set, so that a program without capabilities of its own has at most that after
/// its execve, and has it where possible: root by the bounding set
/// ([`Securebits::is_root`]), everybody else by the ambient set. What root has
/// inheritable would get past the bounding set, so root has nothing inheritable.
///
/// The inheritable set needs no privilege, since it is within the permitted one; what is neither
/// in it already nor in the bounding set the kernel refuses (`cap_capset` in security/commoncap.c).
///
/// ```
/// use linx_caps::{confine::keep_only, securebits::Securebits, set::Caps, CapSet};
/// let keep = CapSet::single(10);
/// let now = Caps { permitted: CapSet::KNOWN, ..Caps::new() };
/// let root = keep_only(now, keep, 0, Securebits::NONE);
/// assert_eq!((root.left.permitted, root.ambient), (keep, CapSet::EMPTY));
/// let nobody = keep_only(now, keep, 65_534, Securebits::NONE);
/// assert_eq!((nobody.left.permitted, nobody.ambient), (keep, keep));
/// ```
#[inline(always)]
pub const fn keep_only(now: Caps, keep: CapSet, euid: u32, securebits: Securebits) -> KeepOnly {
    const SETPCAP: CapSet = CapSet::single(Privilege::DropBounding.needs());
    let kept = now.permitted.intersection(keep);
    let handed_on = if securebits.is_root(euid) {
        CapSet::EMPTY
    } else {
        kept
    };
    KeepOnly {
        dropping: raise_effective(now, SETPCAP),
        left: Caps {
            effective: kept,
            permitted: kept,
            inheritable: handed_on,
            ..now
        },
        ambient: handed_on,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::execve::{predict, Kernel, Program, Task};
    use crate::plan;
    use crate::simulated::{any_thread, Thread};
    use crate::Ids;

    const KERNEL: Kernel = Kernel {
        version: (6, 18),
        max_bits: 41,
    };
    const PLAIN: Program = Program {
        file_caps: None,
        owner: 0,
        group: 0,
        mode: 0o755,
        nosuid: false,
        foreign_namespace: false,
    };

    fn task(thread: &Thread, real: u32) -> Task {
        Task {
            state: thread.state,
            uid: Ids {
                real,
                ..Ids::all(thread.uid)
            },
            gid: Ids::all(0),
            groups: vec![],
            securebits: thread.securebits,
            no_new_privs: thread.no_new_privs,
            shared_fs: false,
            weakly_traced: false,
        }
    }

    proptest! {
        /// Whatever a thread was and whoever it is, no more than asked for comes out of the execve; and all of it
        /// comes out that the thread had, or that the bounding set gives root.
        #[test]
        fn the_execve_gives_what_was_kept(
            before in any_thread(),
            keep: u64,
            real in 0u32..2,
        ) {
            let keep = CapSet::from_bits(keep);
            let mut thread = before.clone();
            prop_assume!(thread.take_all(&plan::keep_only(keep)).is_ok());
            prop_assert!(thread.state.union().is_subset(keep));
            let after = predict(&task(&thread, real), &PLAIN, &KERNEL).unwrap();
            prop_assert!(after.state.union().is_subset(keep));
            let kept = before.state.permitted.intersection(keep);
            let expected = match (thread.securebits.is_root(thread.uid), thread.no_new_privs) {
                (true, false) => thread.state.bounding,
                (true, true) => thread.state.bounding.intersection(kept),
                (false, _) => kept,
            };
            prop_assert_eq!(after.state.effective, expected);
        }

        /// The kernel refuses only what the thread had no right to ask.
        #[test]
        fn a_refusal_has_a_reason(before in any_thread(), keep: u64) {
            let keep = CapSet::from_bits(keep);
            let kept = before.state.permitted.intersection(keep);
            let drops = !before.state.bounding.is_subset(keep);
            let may_drop = before.state.permitted.contains(Privilege::DropBounding.needs());
            let handed_on = if before.securebits.is_root(before.uid) { CapSet::EMPTY } else { kept };
            let inherits = handed_on.is_subset(before.state.inheritable.union(before.state.bounding));
            let ambient = before.securebits.contains(Securebits::NO_CAP_AMBIENT_RAISE);
            let may = (may_drop || !drops) && inherits && (handed_on.is_empty() || !ambient);
            let taken = before.clone().take_all(&plan::keep_only(keep));
            prop_assert_eq!(taken.is_ok(), may);
        }
    }
}
