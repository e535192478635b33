//! What a child does to its own capabilities and ids.

use std::ffi::c_int;
use std::ptr::{addr_of, addr_of_mut};

use linx_caps::confine;
use linx_caps::securebits::Securebits;
use linx_caps::set::Caps;
use linx_caps::CapSet;

use super::block::Block;
use super::calls::{call, call3, check, prctl, Outcome, Refused};

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
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

/// The kernel's layout of `capget(2)` data, version 3.
#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

/// This thread's own sets.
///
/// # Safety
/// None: the buffers are our own.
unsafe fn capget() -> Result<Caps, Refused> {
    let header = CapHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let mut data = [0u32; 6];
    // SAFETY: version 3 writes two structures of three words each: six words.
    let result = unsafe {
        call3(
            libc::SYS_capget,
            addr_of!(header) as usize,
            addr_of_mut!(data) as usize,
            0,
        )
    };
    check(result)?;
    let [el, pl, il, eh, ph, ih] = data;
    let join = |low: u32, high: u32| CapSet::from_bits(u64::from(low) | u64::from(high) << 32);
    Ok(Caps {
        effective: join(el, eh),
        permitted: join(pl, ph),
        inheritable: join(il, ih),
        ns_owner: 0,
    })
}

/// # Safety
/// None: the buffers are our own.
unsafe fn capset(sets: Caps) -> Outcome {
    let [e, p, i] = [sets.effective, sets.permitted, sets.inheritable].map(CapSet::bits);
    let header = CapHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let data = [
        e as u32,
        p as u32,
        i as u32,
        (e >> 32) as u32,
        (p >> 32) as u32,
        (i >> 32) as u32,
    ];
    // SAFETY: version 3 reads six words.
    check(unsafe {
        call3(
            libc::SYS_capset,
            addr_of!(header) as usize,
            addr_of!(data) as usize,
            0,
        )
    })
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn set_thread_sets(sets: [u64; 3], keep: u8) -> Outcome {
    // SAFETY: capget and capset need nothing.
    unsafe {
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
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn raise_effective(block: *mut Block, needed: CapSet) -> Outcome {
    // SAFETY: the block is the child's to write; the calls take numbers.
    unsafe {
        let now = capget()?;
        (*block).effective = now.effective;
        capset(confine::raise_effective(now, needed))
    }
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn restore_effective(block: *mut Block) -> Outcome {
    // SAFETY: as above.
    unsafe { capset(confine::restore_effective(capget()?, (*block).effective)) }
}

/// Drops each from the bounding set; what is not there needs no right to be dropped.
///
/// # Safety
/// None: numbers only.
pub(super) unsafe fn drop_bounding(set: CapSet) -> Outcome {
    // SAFETY: numbers only.
    unsafe {
        each_bit(set, |bit| match prctl(libc::PR_CAPBSET_DROP, bit, 0) {
            refused if refused < 0 && prctl(libc::PR_CAPBSET_READ, bit, 0) == 0 => 0,
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
