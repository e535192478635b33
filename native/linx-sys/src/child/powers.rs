//! What a child does to its own capabilities and ids.

use std::ffi::c_int;
use std::ptr::{addr_of, addr_of_mut};

use super::block::Block;
use super::calls::{call, call3, check, prctl, Outcome, Refused};

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const CAP_SETPCAP: u32 = 8;
const SECBIT_NOROOT: isize = 1;
/// Bits of the `keep` argument of `Op::SetThreadSets`.
const KEEP_EFFECTIVE: u8 = 1;
pub(super) const KEEP_PERMITTED: u8 = 2;
pub(super) const KEEP_INHERITABLE: u8 = 4;

/// # Safety
/// `make` must be sound for every bit number.
#[inline(always)]
pub(super) unsafe fn each_bit(mask: u64, make: impl Fn(usize) -> isize) -> Outcome {
    let mut rest = mask;
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

/// Effective, permitted, inheritable of this thread.
///
/// # Safety
/// None: the buffers are our own.
unsafe fn capget() -> Result<[u64; 3], Refused> {
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
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok([join(el, eh), join(pl, ph), join(il, ih)])
}

/// # Safety
/// None: the buffers are our own.
unsafe fn capset(sets: [u64; 3]) -> Outcome {
    let [e, p, i] = sets;
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
        if keep == 0 {
            return capset(sets);
        }
        let [e, p, i] = sets;
        let [old_e, old_p, old_i] = capget()?;
        let choose = |bit: u8, new: u64, old: u64| if keep & bit != 0 { old } else { new };
        capset([
            choose(KEEP_EFFECTIVE, e, old_e),
            choose(KEEP_PERMITTED, p, old_p),
            choose(KEEP_INHERITABLE, i, old_i),
        ])
    }
}

/// Adds what is permitted of the mask to the effective set, as libcap does before it needs it.
///
/// # Safety
/// As `child_main`.
pub(super) unsafe fn raise_effective(block: *mut Block, mask: u64) -> Outcome {
    // SAFETY: the block is the child's to write; the calls take numbers.
    unsafe {
        let [e, p, i] = capget()?;
        (*block).effective = e;
        capset([e | (p & mask), p, i])
    }
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn restore_effective(block: *mut Block) -> Outcome {
    // SAFETY: as above.
    unsafe {
        let [_, p, i] = capget()?;
        capset([(*block).effective & p, p, i])
    }
}

/// # Safety
/// None: numbers only.
pub(super) unsafe fn keep_only(mask: u64) -> Outcome {
    // SAFETY: numbers only.
    unsafe {
        let [e, p, i] = capget()?;
        capset([e | (p & 1 << CAP_SETPCAP), p, i])?;
        each_bit(!mask, |bit| match prctl(libc::PR_CAPBSET_READ, bit, 0) {
            1 => prctl(libc::PR_CAPBSET_DROP, bit, 0),
            // Not in the set, or not known to the kernel.
            _ => 0,
        })?;
        let kept = p & mask;
        let by_bounding = call(libc::SYS_geteuid, [0; 6]) == 0
            && prctl(libc::PR_GET_SECUREBITS, 0, 0) & SECBIT_NOROOT == 0;
        let inherited = if by_bounding { 0 } else { kept };
        // In two steps: what is new in I may need SETPCAP, which the second may take away.
        capset([e | (p & 1 << CAP_SETPCAP), p, inherited])?;
        capset([kept, kept, inherited])?;
        check(prctl_ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0))?;
        each_bit(inherited, |bit| {
            prctl_ambient(libc::PR_CAP_AMBIENT_RAISE, bit)
        })
    }
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
