//! The memory a child runs on: a stack behind a guard page, and scratch space for payloads.

use std::ptr::null_mut;

use nix::errno::Errno;

use super::op::MAX_GROUPS;

const GUARD: usize = 64 * 1024;
const STACK: usize = 32 * 1024;
const SCRATCH: usize = MAX_GROUPS * size_of::<u32>();
const WHOLE: usize = GUARD + STACK + SCRATCH;

/// One mapping: guard, stack, scratch. Pages cost nothing until they are touched.
pub(super) struct Slab {
    base: *mut u8,
}

impl Slab {
    pub fn new() -> Result<Self, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping, at an address of the kernel's choice.
        let base = unsafe { libc::mmap(null_mut(), WHOLE, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let slab = Slab { base: base.cast() };
        let usable = slab.base.wrapping_add(GUARD).cast();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the part behind the guard lies within the mapping just made.
        Errno::result(unsafe { libc::mprotect(usable, WHOLE - GUARD, access) })?;
        Ok(slab)
    }

    /// Lowest address and length of the stack, as `clone3(2)` takes them. The end is page-aligned.
    pub fn stack(&self) -> (u64, u64) {
        (self.base.wrapping_add(GUARD) as u64, STACK as u64)
    }

    pub fn scratch(&self) -> (*mut u8, usize) {
        (self.base.wrapping_add(GUARD + STACK), SCRATCH)
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone; a child that may still run on it is kept from getting
        // here by `Child`, which leaks what it cannot prove unused.
        unsafe { libc::munmap(self.base.cast(), WHOLE) };
    }
}
