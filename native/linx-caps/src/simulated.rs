//! The kernel in small: what it makes of each step, or that it refuses (capabilities(7);
//! `cap_capset`, `cap_task_prctl` and `cap_emulate_setxuid` in security/commoncap.c).

use proptest::prelude::*;

use crate::capset::CapSet;
use crate::confine;
use crate::plan::{Privilege, Step};
use crate::securebits::Securebits;
use crate::set::Caps;
use crate::state::State;

/// A thread whose three user ids are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    pub uid: u32,
    pub state: State,
    pub securebits: Securebits,
    pub no_new_privs: bool,
    pub remembered: CapSet,
}

/// The kernel's `EPERM`.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

type Taken = Result<(), Refused>;

fn only_if(allowed: bool) -> Taken {
    allowed.then_some(()).ok_or(Refused)
}

impl Thread {
    /// A thread that may do everything.
    pub(crate) fn root() -> Thread {
        Thread {
            uid: 0,
            state: State {
                permitted: CapSet::KNOWN,
                effective: CapSet::KNOWN,
                bounding: CapSet::KNOWN,
                ..State::default()
            },
            securebits: Securebits::NONE,
            no_new_privs: false,
            remembered: CapSet::EMPTY,
        }
    }

    pub(crate) fn take_all(&mut self, steps: &[Step]) -> Taken {
        steps.iter().try_for_each(|step| self.take(step))
    }

    fn take(&mut self, step: &Step) -> Taken {
        let now = self.caps();
        match step {
            Step::RaiseEffective(needed) => {
                self.remembered = now.effective;
                self.capset(confine::raise_effective(now, *needed))
            }
            Step::RestoreEffective => self.capset(confine::restore_effective(now, self.remembered)),
            Step::SetThread {
                effective,
                permitted,
                inheritable,
            } => self.capset(Caps {
                effective: effective.unwrap_or(now.effective),
                permitted: permitted.unwrap_or(now.permitted),
                inheritable: inheritable.unwrap_or(now.inheritable),
                ..now
            }),
            Step::SetAmbient(set) => {
                self.state.ambient = CapSet::EMPTY;
                self.raise_ambient(*set)
            }
            Step::RaiseAmbient(set) => self.raise_ambient(*set),
            Step::LowerAmbient(set) => {
                self.state.ambient = self.state.ambient.difference(*set);
                Ok(())
            }
            Step::DropBounding(set) => self.drop_bounding(*set),
            Step::KeepOnly { keep, drop } => self.keep_only(*keep, *drop),
            Step::SetSecurebits(bits) => {
                let may = self.may(Privilege::SetSecurebits);
                only_if(self.securebits.check_write(*bits, may).is_ok())?;
                self.securebits = *bits;
                Ok(())
            }
            Step::SetNoNewPrivs => {
                self.no_new_privs = true;
                Ok(())
            }
            Step::SetGroups { .. } => only_if(self.may(Privilege::SetGroups)),
            Step::SetUid(uid) => self.set_uid(*uid),
            Step::Chroot(_) => only_if(self.may(Privilege::ChangeRoot)),
        }
    }

    fn may(&self, privilege: Privilege) -> bool {
        self.state.effective.contains(privilege.needs())
    }

    fn caps(&self) -> Caps {
        Caps {
            effective: self.state.effective,
            permitted: self.state.permitted,
            inheritable: self.state.inheritable,
            ns_owner: 0,
        }
    }

    fn capset(&mut self, new: Caps) -> Taken {
        let old = self.state;
        let free = old.inheritable.union(old.permitted);
        only_if(self.may(Privilege::Inherit) || new.inheritable.is_subset(free))?;
        only_if(
            new.inheritable
                .is_subset(old.inheritable.union(old.bounding)),
        )?;
        only_if(new.permitted.is_subset(old.permitted))?;
        only_if(new.effective.is_subset(new.permitted))?;
        let both = new.permitted.intersection(new.inheritable);
        self.state = State {
            effective: new.effective,
            permitted: new.permitted,
            inheritable: new.inheritable,
            ambient: old.ambient.intersection(both),
            ..old
        };
        Ok(())
    }

    fn raise_ambient(&mut self, set: CapSet) -> Taken {
        let both = self.state.permitted.intersection(self.state.inheritable);
        let barred = self.securebits.contains(Securebits::NO_CAP_AMBIENT_RAISE);
        only_if(set.is_empty() || (set.is_subset(both) && !barred))?;
        self.state.ambient = self.state.ambient.union(set);
        Ok(())
    }

    /// What is not in the set any more needs no right to be dropped.
    fn drop_bounding(&mut self, set: CapSet) -> Taken {
        let left = self.state.bounding.difference(set);
        only_if(left == self.state.bounding || self.may(Privilege::DropBounding))?;
        self.state.bounding = left;
        Ok(())
    }

    fn keep_only(&mut self, keep: CapSet, drop: CapSet) -> Taken {
        let rule = confine::keep_only(self.caps(), keep, self.uid, self.securebits);
        if !drop.is_empty() {
            self.capset(rule.dropping)?;
            self.drop_bounding(drop)?;
        }
        self.capset(rule.left)?;
        self.state.ambient = CapSet::EMPTY;
        self.raise_ambient(rule.ambient)
    }

    fn set_uid(&mut self, uid: u32) -> Taken {
        let locked = self.securebits.contains(Securebits::KEEP_CAPS.lock());
        only_if(!locked && (uid == self.uid || self.may(Privilege::SetUid)))?;
        let (was_root, is_root) = (self.uid == 0, uid == 0);
        self.uid = uid;
        if !self.securebits.contains(Securebits::NO_SETUID_FIXUP) {
            if was_root && !is_root {
                (self.state.effective, self.state.ambient) = (CapSet::EMPTY, CapSet::EMPTY);
            }
            if is_root && !was_root {
                self.state.effective = self.state.permitted;
            }
        }
        // PR_SET_KEEPCAPS, set before and cleared after.
        self.securebits = self.securebits.difference(Securebits::KEEP_CAPS);
        Ok(())
    }
}

/// Sets that are often all or nothing, and often hold what privileges need.
pub(crate) fn any_set() -> impl Strategy<Value = CapSet> {
    let some = any::<u64>().prop_map(|bits| CapSet::from_bits(bits).intersection(CapSet::KNOWN));
    prop_oneof![Just(CapSet::EMPTY), Just(CapSet::KNOWN), some]
}

/// Threads as the kernel can have them: of root and others, under any secure bits.
pub(crate) fn any_thread() -> impl Strategy<Value = Thread> {
    let sets = [any_set(), any_set(), any_set(), any_set(), any_set()];
    let rest = (0u32..2, 0u32..0x1000, any::<bool>());
    (sets, rest).prop_map(|(sets, (uid, securebits, no_new_privs))| {
        let [inheritable, permitted, effective, bounding, ambient] = sets;
        Thread {
            uid,
            state: State {
                inheritable,
                permitted,
                effective: effective.intersection(permitted),
                bounding,
                ambient: ambient.intersection(permitted).intersection(inheritable),
            },
            securebits: Securebits::from_bits(securebits),
            no_new_privs,
            remembered: CapSet::EMPTY,
        }
    })
}
