//! How a thread confines itself: single changes, as data for whoever makes the system calls.

use std::ffi::CString;

use crate::cap::Cap;
use crate::capset::CapSet;
use crate::securebits::Securebits;

/// One change of the calling thread, told so that it does not depend on what the thread has: the
/// same steps serve every thread. Where the outcome does depend on it, [`confine`](crate::confine)
/// has the rule.
///
/// ```
/// use linx_caps::{plan::Step, CapSet};
/// assert_ne!(Step::SetAmbient(CapSet::EMPTY), Step::RestoreEffective);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Add those of the set that are permitted to the effective set, and remember what that was.
    RaiseEffective(CapSet),
    /// Make the effective set what it was before [`Step::RaiseEffective`].
    RestoreEffective,
    /// capset(2); `None` leaves a set as it is.
    SetThread {
        /// The new effective set.
        effective: Option<CapSet>,
        /// The new permitted set.
        permitted: Option<CapSet>,
        /// The new inheritable set.
        inheritable: Option<CapSet>,
    },
    /// `PR_CAP_AMBIENT_CLEAR_ALL`, then `PR_CAP_AMBIENT_RAISE` of each.
    SetAmbient(CapSet),
    /// `PR_CAP_AMBIENT_RAISE` of each.
    RaiseAmbient(CapSet),
    /// `PR_CAP_AMBIENT_LOWER` of each.
    LowerAmbient(CapSet),
    /// `PR_CAPBSET_DROP` of each that the kernel knows.
    DropBounding(CapSet),
    /// Leave at most `keep` in every set, by [`confine::keep_only`](crate::confine::keep_only).
    KeepOnly {
        /// What may stay.
        keep: CapSet,
        /// What may have to leave the bounding set for it.
        drop: CapSet,
    },
    /// `PR_SET_SECUREBITS`.
    SetSecurebits(Securebits),
    /// `PR_SET_NO_NEW_PRIVS`.
    SetNoNewPrivs,
    /// setgroups(2) and setresgid(2).
    SetGroups {
        /// Real, effective and saved group id.
        gid: u32,
        /// The supplementary groups.
        groups: Vec<u32>,
    },
    /// setresuid(2) of all three ids, with the permitted set kept (`PR_SET_KEEPCAPS`).
    SetUid(u32),
    /// chroot(2), and chdir(2) to the new root.
    Chroot(CString),
}

impl Step {
    /// Empties the effective set.
    pub const CLEAR_EFFECTIVE: Step = Step::SetThread {
        effective: Some(CapSet::EMPTY),
        permitted: None,
        inheritable: None,
    };

    /// Leaves out the drops that would change nothing. `bounding` is what the thread's bounding
    /// set is within, and becomes what it is within after the step. Nothing brings back what a
    /// bounding set has lost (`PR_CAPBSET_DROP(2const)`).
    ///
    /// ```
    /// use linx_caps::{plan::Step, CapSet};
    /// let mut step = Step::DropBounding(CapSet::from_bits(0b1100));
    /// let mut bounding = CapSet::from_bits(0b0110);
    /// step.trim(&mut bounding);
    /// assert_eq!(step, Step::DropBounding(CapSet::from_bits(0b0100)));
    /// assert_eq!(bounding, CapSet::from_bits(0b0010));
    /// ```
    pub fn trim(&mut self, bounding: &mut CapSet) {
        if let Step::DropBounding(drop) | Step::KeepOnly { drop, .. } = self {
            *drop = drop.intersection(*bounding);
            *bounding = bounding.difference(*drop);
        }
    }
}

/// What the kernel does only for threads with a certain capability in the effective set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// chroot(2).
    ChangeRoot,
    /// setgroups(2), and setresgid(2) to any id.
    SetGroups,
    /// setresuid(2) to any id.
    SetUid,
    /// `PR_CAPBSET_DROP`.
    DropBounding,
    /// capset(2) of inheritable capabilities that are not permitted.
    Inherit,
    /// `PR_SET_SECUREBITS`.
    SetSecurebits,
    /// setns(2), and clone(2) with fresh namespaces other than a user namespace.
    Namespaces,
    /// setxattr(2) of `security.capability`.
    SetFileCaps,
}

impl Privilege {
    /// The capability it takes (capabilities(7), "Capabilities list").
    ///
    /// ```
    /// use linx_caps::{plan::Privilege, Cap};
    /// assert_eq!(Privilege::SetUid.needs(), Cap::SETUID);
    /// ```
    pub const fn needs(self) -> u8 {
        match self {
            Privilege::ChangeRoot => Cap::SYS_CHROOT,
            Privilege::SetGroups => Cap::SETGID,
            Privilege::SetUid => Cap::SETUID,
            Privilege::DropBounding | Privilege::Inherit | Privilege::SetSecurebits => Cap::SETPCAP,
            Privilege::Namespaces => Cap::SYS_ADMIN,
            Privilege::SetFileCaps => Cap::SETFCAP,
        }
    }

    /// The step that raises the capability, if it is permitted, as libcap does before it needs one (`cap_setuid` and others
    /// in libcap's cap_proc.c).
    ///
    /// ```
    /// use linx_caps::{plan::{Privilege, Step}, Cap, CapSet};
    /// let step = Privilege::ChangeRoot.raised();
    /// assert_eq!(step, Step::RaiseEffective(CapSet::single(Cap::SYS_CHROOT)));
    /// ```
    pub const fn raised(self) -> Step {
        Step::RaiseEffective(CapSet::single(self.needs()))
    }
}

/// All three group ids and the supplementary groups (cap_setgroups(3)). The effective set ends
/// empty, as libcap leaves it.
///
/// ```
/// use linx_caps::plan::{self, Step};
/// assert!(plan::set_groups(33, vec![4]).contains(&Step::SetGroups { gid: 33, groups: vec![4] }));
/// ```
pub fn set_groups(gid: u32, groups: Vec<u32>) -> Vec<Step> {
    raise_and_clear(Privilege::SetGroups, Step::SetGroups { gid, groups })
}

/// All three user ids, with the permitted set kept (cap_setuid(3)). The effective set ends empty.
///
/// ```
/// use linx_caps::plan::{self, Step};
/// assert!(plan::set_uid(33).ends_with(&[Step::SetUid(33), Step::CLEAR_EFFECTIVE]));
/// ```
pub fn set_uid(uid: u32) -> Vec<Step> {
    raise_and_clear(Privilege::SetUid, Step::SetUid(uid))
}

/// The secure bits, all of them (cap_set_secbits(3)). The effective set ends empty.
///
/// ```
/// use linx_caps::{plan::{self, Step}, securebits::Securebits};
/// let steps = plan::set_securebits(Securebits::NOROOT);
/// assert!(steps.contains(&Step::SetSecurebits(Securebits::NOROOT)));
/// ```
pub fn set_securebits(bits: Securebits) -> Vec<Step> {
    raise_and_clear(Privilege::SetSecurebits, Step::SetSecurebits(bits))
}

/// The root directory (`cap_launcher_set_chroot` in cap_launch(3)). The effective set ends as it
/// began.
///
/// ```
/// use linx_caps::plan::{self, Step};
/// assert_eq!(plan::chroot(c"/srv".into()).last(), Some(&Step::RestoreEffective));
/// ```
pub fn chroot(path: CString) -> Vec<Step> {
    let act = Step::Chroot(path);
    vec![Privilege::ChangeRoot.raised(), act, Step::RestoreEffective]
}

/// At most these capabilities in every set, now and after the execve of a plain file, whoever
/// executes it (capabilities(7), "Transformation of capabilities during execve()").
///
/// ```
/// use linx_caps::{plan::{self, Step}, CapSet};
/// let (keep, drop) = (CapSet::single(10), CapSet::single(10).complement());
/// assert_eq!(plan::keep_only(keep), [Step::KeepOnly { keep, drop }]);
/// ```
pub fn keep_only(keep: CapSet) -> Vec<Step> {
    let drop = keep.complement();
    vec![Step::KeepOnly { keep, drop }]
}

fn raise_and_clear(privilege: Privilege, act: Step) -> Vec<Step> {
    vec![privilege.raised(), act, Step::CLEAR_EFFECTIVE]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simulated::{any_thread, Thread};

    /// The thread after the steps, and what it had before; `None` if a step is refused.
    fn after(thread: &Thread, steps: Vec<Step>) -> Option<Thread> {
        let mut thread = thread.clone();
        thread.take_all(&steps).ok().map(|()| thread)
    }

    proptest! {
        #[test]
        fn trimming_changes_no_outcome(thread in any_thread(), set: u64, more: u64) {
            let set = CapSet::from_bits(set);
            for step in [vec![Step::DropBounding(set)], keep_only(set)].concat() {
                let mut known = thread.state.bounding.union(CapSet::from_bits(more));
                let whole = after(&thread, vec![step.clone()]);
                let mut trimmed = step;
                trimmed.trim(&mut known);
                prop_assert_eq!(&whole, &after(&thread, vec![trimmed]));
                prop_assert!(whole.is_none_or(|thread| thread.state.bounding.is_subset(known)));
            }
        }

        #[test]
        fn what_is_permitted_needs_not_be_effective(thread in any_thread()) {
            let permits = |privilege: Privilege| thread.state.permitted.contains(privilege.needs());
            let groups = after(&thread, set_groups(5, vec![]));
            prop_assert_eq!(groups.is_some(), permits(Privilege::SetGroups));
            let root = after(&thread, chroot(c"/".into()));
            prop_assert_eq!(root.is_some(), permits(Privilege::ChangeRoot));
            prop_assert!(root.is_none_or(|root| root.state == thread.state));
            let locks = thread.securebits.union(Securebits::NOROOT.lock());
            let bits = after(&thread, set_securebits(locks));
            prop_assert_eq!(bits.is_some(), permits(Privilege::SetSecurebits));
            for thread in [groups, bits].into_iter().flatten() {
                prop_assert!(thread.state.effective.is_empty());
            }
        }

        #[test]
        fn a_change_of_uid_keeps_what_is_permitted(thread in any_thread(), uid in 0u32..3) {
            let locked = thread.securebits.contains(Securebits::KEEP_CAPS.lock());
            let may = uid == thread.uid || thread.state.permitted.contains(Cap::SETUID);
            let after = after(&thread, set_uid(uid));
            prop_assert_eq!(after.is_some(), may && !locked);
            if let Some(after) = after {
                prop_assert_eq!(after.uid, uid);
                prop_assert_eq!(after.state.permitted, thread.state.permitted);
                prop_assert!(after.state.effective.is_empty());
            }
        }
    }
}
