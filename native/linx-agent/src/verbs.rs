//! From what a client asks of a parked child to the steps that the child takes.

use std::ffi::CString;

use linx_caps::iab::Iab;
use linx_caps::plan::{self, Step};
use linx_caps::securebits::Securebits;
use linx_caps::CapSet;
use linx_sys::child::Stage;
use nix::errno::Errno;

use crate::wire::Verb;

/// The steps of a verb, all with the stage that a refusal names. `bounding` is what the child's bounding set is
/// known to be within, and is kept up to date: drops that would change nothing are left out.
pub fn steps(verb: Verb<'_>, bounding: &mut CapSet) -> Result<(Stage, Vec<Step>), Errno> {
    let (stage, mut steps) = whole(verb)?;
    for step in &mut steps {
        step.trim(bounding);
    }
    Ok((stage, steps))
}

fn whole(verb: Verb<'_>) -> Result<(Stage, Vec<Step>), Errno> {
    let one = |stage, step| (stage, vec![step]);
    let set = CapSet::from_bits;
    Ok(match verb {
        Verb::DropBounding(mask) => one(Stage::DropBounding, Step::DropBounding(set(mask))),
        Verb::SetThreadSets(masks) => {
            let [effective, permitted, inheritable] = masks.map(|mask| mask.map(set));
            let step = Step::SetThread {
                effective,
                permitted,
                inheritable,
            };
            one(Stage::SetThreadSets, step)
        }
        Verb::SetAmbient(mask) => one(Stage::SetAmbient, Step::SetAmbient(set(mask))),
        Verb::RaiseAmbient(mask) => one(Stage::RaiseAmbient, Step::RaiseAmbient(set(mask))),
        Verb::DropAmbient(mask) => one(Stage::DropAmbient, Step::LowerAmbient(set(mask))),
        Verb::KeepOnly(mask) => (Stage::KeepOnly, plan::keep_only(set(mask))),
        Verb::SetGroups { gid, groups } => (Stage::SetGroups, plan::set_groups(gid, groups)),
        Verb::SetUid(uid) => (Stage::SetUid, plan::set_uid(uid)),
        Verb::SetSecurebits(bits) => {
            let bits = Securebits::from_bits(bits);
            (Stage::SetSecurebits, plan::set_securebits(bits))
        }
        Verb::SetMode(mode) => (Stage::SetMode, mode.plan().ok_or(Errno::EINVAL)?),
        Verb::SetIab {
            inheritable,
            ambient,
            blocked,
        } => {
            let iab = Iab::from_sets(set(inheritable), set(ambient), set(blocked));
            (Stage::SetIab, iab.plan())
        }
        Verb::SetNoNewPrivs => one(Stage::NoNewPrivs, Step::SetNoNewPrivs),
        Verb::Chroot(path) => {
            let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
            (Stage::Chroot, plan::chroot(path))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_trimmed_to_what_is_there() {
        let mut bounding = CapSet::from_bits(0b1110);
        let taken = steps(Verb::DropBounding(u64::MAX ^ 0b100), &mut bounding);
        let step = Step::DropBounding(CapSet::from_bits(0b1010));
        assert_eq!(taken, Ok((Stage::DropBounding, vec![step])));
        assert_eq!(bounding, CapSet::single(2));
    }
}
