//! The calling thread's own sets, by bare system calls: capget(2) and capset(2).
//!
//! A child that shares its parent's memory uses this, so all of it is inlined.

use std::ptr::{addr_of, addr_of_mut};

use linx_caps::set::Caps;
use linx_caps::CapSet;

use crate::raw::syscall;

/// `_LINUX_CAPABILITY_VERSION_3`, and the calling thread.
const HEADER: [u32; 2] = [0x2008_0522, 0];

/// Effective, permitted and inheritable, or `-errno`.
#[inline(always)]
pub(crate) fn get() -> Result<Caps, isize> {
    let header = HEADER;
    let mut data = [0u32; 6];
    let (header, to) = (addr_of!(header) as usize, addr_of_mut!(data) as usize);
    // SAFETY: the kernel reads a header of two words and, in version 3, writes two structures of three words each.
    let result = unsafe { syscall(libc::SYS_capget, [header, to, 0, 0, 0, 0]) };
    if result < 0 {
        return Err(result);
    }
    let [el, pl, il, eh, ph, ih] = data;
    let join = |low: u32, high: u32| CapSet::from_bits(u64::from(low) | u64::from(high) << 32);
    Ok(Caps {
        effective: join(el, eh),
        permitted: join(pl, ph),
        inheritable: join(il, ih),
        ns_owner: 0,
    })
}

/// Gives the thread these; 0 or `-errno`.
#[inline(always)]
pub(crate) fn set(sets: Caps) -> isize {
    let header = HEADER;
    let (e, p, i) = (
        sets.effective.bits(),
        sets.permitted.bits(),
        sets.inheritable.bits(),
    );
    let data = [
        e as u32,
        p as u32,
        i as u32,
        (e >> 32) as u32,
        (p >> 32) as u32,
        (i >> 32) as u32,
    ];
    let (header, from) = (addr_of!(header) as usize, addr_of!(data) as usize);
    // SAFETY: the kernel reads a header of two words and, in version 3, six more.
    unsafe { syscall(libc::SYS_capset, [header, from, 0, 0, 0, 0]) }
}
