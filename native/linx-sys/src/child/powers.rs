//! What a child does to its own capabilities and ids.

use std::ffi::c_int;

use linx_caps::confine;
use linx_caps::securebits::Securebits;
use linx_caps::set::Caps;
use linx_caps::CapSet;

use super::block::Block;
use super::calls::{call, call3, check, prctl, Outcome, Refused};
use crate::caps;

/// Bits of the `keep` argument of `Op::SetThreadSets`.
const KEEP_EFFECTIVE: u8 = 1;
const KEEP_PERMITTED: u8 = 2;
const KEEP_INHERITABLE: u8 = 4;

/// # Safety
/// `make` must be sound for every bit number.
#[inline(always)]
unsafe fn each_bit(set: CapSet, make: impl Fn(usize) -> isize) -> Outcome {
    let mut rest = set.bits();
    while rest != 0 {
        check(make(rest.trailing_zeros() as usize))?;
        rest &= rest.wrapping_sub(1);
    }
    Ok(())
}

#[inline(always)]
fn capget() -> Result<Caps, Refused> {
    caps::get().map_err(Refused)
}

#[inline(always)]
fn capset(sets: Caps) -> Outcome {
    check(caps::set(sets))
}

pub(super) fn set_thread_sets(sets: [u64; 3], keep: u8) -> Outcome {
    let old = if keep == 0 { Caps::new() } else { capget()? };
    let [effective, permitted, inheritable] = sets;
    let choose = |bit: u8, new: u64, old: CapSet| {
        if keep & bit != 0 {
            old
        } else {
            CapSet::from_bits(new)
        }
    };
    capset(Caps {
        effective: choose(KEEP_EFFECTIVE, effective, old.effective),
        permitted: choose(KEEP_PERMITTED, permitted, old.permitted),
        inheritable: choose(KEEP_INHERITABLE, inheritable, old.inheritable),
        ..old
    })
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn raise_effective(block: *mut Block, needed: CapSet) -> Outcome {
    let now = capget()?;
    // SAFETY: the block is the child's to write.
    unsafe { (*block).effective = now.effective };
    capset(confine::raise_effective(now, needed))
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn restore_effective(block: *mut Block) -> Outcome {
    // SAFETY: the block is the child's.
    let before = unsafe { (*block).effective };
    capset(confine::restore_effective(capget()?, before))
}

/// Drops each from the bounding set. What is not there, or is not known to the kernel, needs no right to be dropped.
///
/// # Safety
/// None: numbers only.
pub(super) unsafe fn drop_bounding(set: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe {
        each_bit(set, |bit| match prctl(libc::PR_CAPBSET_DROP, bit, 0) {
            refused if refused < 0 && prctl(libc::PR_CAPBSET_READ, bit, 0) != 1 => 0,
            result => result,
        })
    }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn keep_only(keep: CapSet, drop: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe {
        let euid = call(libc::SYS_geteuid, [0; 6]) as u32;
        let securebits = Securebits::from_bits(prctl(libc::PR_GET_SECUREBITS, 0, 0) as u32);
        let rule = confine::keep_only(capget()?, keep, euid, securebits);
        if !drop.is_empty() {
            capset(rule.dropping)?;
            drop_bounding(drop)?;
        }
        capset(rule.left)?;
        set_ambient(rule.ambient)
    }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn set_ambient(set: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe {
        check(prctl_ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0))?;
        raise_ambient(set)
    }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn raise_ambient(set: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe { each_bit(set, |bit| prctl_ambient(libc::PR_CAP_AMBIENT_RAISE, bit)) }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn lower_ambient(set: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe { each_bit(set, |bit| prctl_ambient(libc::PR_CAP_AMBIENT_LOWER, bit)) }
}

/// # Safety
/// `path` must be a C string.
pub(super) unsafe fn chroot(path: *const std::ffi::c_char) -> Outcome {
    // SAFETY: the caller's promise, and a string of our own.
    unsafe {
        check(call3(libc::SYS_chroot, path as usize, 0, 0))?;
        check(call3(libc::SYS_chdir, c"/".as_ptr() as usize, 0, 0))
    }
}

/// # Safety
/// `groups` must point to `count` group ids.
pub(super) unsafe fn set_groups(gid: u32, groups: *const u32, count: usize) -> Outcome {
    let gid = gid as usize;
    // SAFETY: the caller's promise.
    unsafe {
        check(call3(libc::SYS_setgroups, count, groups as usize, 0))?;
        check(call3(libc::SYS_setresgid, gid, gid, gid))
    }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn set_uid(uid: u32) -> Outcome {
    let uid = uid as usize;
    // SAFETY: numbers only.
    unsafe {
        check(prctl(libc::PR_SET_KEEPCAPS, 1, 0))?;
        check(call3(libc::SYS_setresuid, uid, uid, uid))?;
        check(prctl(libc::PR_SET_KEEPCAPS, 0, 0))
    }
}

/// # Safety
/// None: numbers only.
#[inline(always)]
pub(super) unsafe fn prctl_ambient(what: c_int, bit: usize) -> isize {
    // SAFETY: numbers only.
    unsafe { prctl(libc::PR_CAP_AMBIENT, what as usize, bit) }
}
