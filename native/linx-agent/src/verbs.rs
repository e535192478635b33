//! From what a client asks of a parked child to what the child does.

use std::ffi::CString;

use linx_caps::iab::{Iab, Vector};
use linx_caps::plan::Step;
use linx_caps::CapSet;
use linx_sys::child::{Act, Stage};
use linx_sys::process;
use nix::errno::Errno;

use crate::wire::Verb;

const CAP_SETGID: u64 = 1 << 6;
const CAP_SETUID: u64 = 1 << 7;
const CAP_SETPCAP: u64 = 1 << 8;
const CAP_SYS_CHROOT: u64 = 1 << 18;

/// The acts of a verb, all with the stage that a refusal names. `bounding` is what the child's bounding set is
/// known to be within, and is kept up to date: drops that would change nothing are left out.
pub fn acts(verb: Verb<'_>, bounding: &mut u64) -> Result<(Stage, Vec<Act>), Errno> {
    Ok(match verb {
        Verb::DropBounding(mask) => (
            Stage::DropBounding,
            vec![Act::DropBounding(trim(mask, bounding))],
        ),
        Verb::SetThreadSets(sets) => (Stage::SetThreadSets, vec![Act::SetThreadSets(sets)]),
        Verb::SetAmbient(mask) => (Stage::SetAmbient, vec![Act::SetAmbient(mask)]),
        Verb::RaiseAmbient(mask) => (Stage::RaiseAmbient, vec![Act::RaiseAmbient(mask)]),
        Verb::DropAmbient(mask) => (Stage::DropAmbient, vec![Act::LowerAmbient(mask)]),
        Verb::KeepOnly(mask) => {
            *bounding &= mask;
            (Stage::KeepOnly, vec![Act::KeepOnly(mask)])
        }
        Verb::SetGroups { gid, groups } => (
            Stage::SetGroups,
            with_raised(CAP_SETGID, Act::SetGroups { gid, groups }),
        ),
        Verb::SetUid(uid) => (Stage::SetUid, with_raised(CAP_SETUID, Act::SetUid(uid))),
        Verb::SetSecurebits(bits) => (
            Stage::SetSecurebits,
            with_raised(CAP_SETPCAP, Act::SetSecurebits(bits)),
        ),
        Verb::SetMode(mode) => {
            let steps = mode.plan().ok_or(Errno::EINVAL)?;
            (Stage::SetMode, planned(&steps, bounding))
        }
        Verb::SetIab {
            inheritable,
            ambient,
            blocked,
        } => {
            let mut iab = Iab::new();
            iab.set_vector(Vector::Inheritable, CapSet::from_bits(inheritable), true);
            iab.set_vector(Vector::Ambient, CapSet::from_bits(ambient), true);
            iab.set_vector(Vector::Bound, CapSet::from_bits(blocked), true);
            (Stage::SetIab, planned(&iab.plan(), bounding))
        }
        Verb::SetNoNewPrivs => (Stage::NoNewPrivs, vec![Act::NoNewPrivs]),
        Verb::Chroot(path) => {
            let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
            let acts = vec![
                Act::RaiseEffective(CAP_SYS_CHROOT),
                Act::Chroot(path),
                Act::RestoreEffective,
            ];
            (Stage::Chroot, acts)
        }
    })
}

/// As libcap does where it needs a capability: raises it if it is permitted, and leaves the effective set empty.
fn with_raised(needed: u64, act: Act) -> Vec<Act> {
    vec![Act::RaiseEffective(needed), act, Act::ClearEffective]
}

/// What the model says is to be done, as what a child can do.
fn planned(steps: &[Step], bounding: &mut u64) -> Vec<Act> {
    let bits = |set: Option<CapSet>| set.map(CapSet::bits);
    let act = |step: &Step| match *step {
        Step::RaiseEffective(set) => Act::RaiseEffective(set.bits()),
        Step::RestoreEffective => Act::RestoreEffective,
        Step::SetThread {
            effective,
            permitted,
            inheritable,
        } => Act::SetThreadSets([effective, permitted, inheritable].map(bits)),
        Step::SetAmbient(set) => Act::SetAmbient(set.bits()),
        Step::DropBounding(set) => Act::DropBounding(trim(set.bits(), bounding)),
        Step::SetSecurebits(securebits) => Act::SetSecurebits(securebits.bits()),
        Step::SetNoNewPrivs => Act::NoNewPrivs,
    };
    steps.iter().map(act).collect()
}

/// What of a drop would change something.
fn trim(mask: u64, bounding: &mut u64) -> u64 {
    let mask = mask & *bounding & CapSet::below(process::last_cap() + 1).bits();
    *bounding &= !mask;
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_trimmed_to_what_is_there() {
        let mut bounding = 0b1110;
        let acts = acts(Verb::DropBounding(u64::MAX ^ 0b100), &mut bounding);
        assert_eq!(
            acts,
            Ok((Stage::DropBounding, vec![Act::DropBounding(0b1010)]))
        );
        assert_eq!(bounding, 0b100);
    }
}
