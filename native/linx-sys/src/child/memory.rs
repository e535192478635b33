//! The memory a child runs on: a stack behind a guard page, and scratch space for payloads.

use std::ptr::null_mut;

use nix::errno::Errno;

use super::op::MAX_GROUPS;

const GUARD: usize = 64 * 1024;
const STACK: usize = 32 * 1024;
const SCRATCH: usize = MAX_GROUPS * size_of::<u32>();
const WHOLE: usize = GUARD + STACK + SCRATCH;

/// `linux/mman.h`, since Linux 6.13; `EINVAL` before.
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// One mapping: guard, stack, scratch. Pages cost nothing until they are touched.
pub(super) struct Slab {
    base: *mut u8,
}

impl Slab {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new anonymous mapping, at an address of the kernel's choice.
        let base = unsafe { libc::mmap(null_mut(), WHOLE, access, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let slab = Slab { base: base.cast() };
        slab.guard()?;
        Ok(slab)
    }

    /// Makes the guard inaccessible, if possible without a mapping of its own: every process that exits walks all
    /// mappings (`acct_collect` in `kernel/acct.c`), and those of thousands of children are one if nothing divides them.
    fn guard(&self) -> Result<(), Errno> {
        // SAFETY: the guard is the beginning of the mapping, and holds nothing.
        let light = unsafe { libc::madvise(self.base.cast(), GUARD, MADV_GUARD_INSTALL) };
        if light == 0 {
            return Ok(());
        }
        // SAFETY: as above.
        Errno::result(unsafe { libc::mprotect(self.base.cast(), GUARD, libc::PROT_NONE) }).map(drop)
    }

    /// Lowest address and length of the stack, as `clone3(2)` takes them. The end is page-aligned.
    pub(super) fn stack(&self) -> (u64, u64) {
        (self.base.wrapping_add(GUARD) as u64, STACK as u64)
    }

    pub(super) fn scratch(&self) -> (*mut u8, usize) {
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
