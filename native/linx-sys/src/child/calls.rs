//! Bare system calls as the child makes them, and what they come to.

use std::ffi::c_int;

use crate::raw::syscall;

pub(super) const EINTR: isize = -(libc::EINTR as isize);

/// A failed operation: the kernel's `-errno`.
pub(super) struct Refused(pub isize);

pub(super) type Outcome = Result<(), Refused>;

pub(super) fn exit(status: usize) -> ! {
    loop {
        // SAFETY: exit_group ends the child (and, having no other thread, only the child).
        unsafe { call(libc::SYS_exit_group, [status, 0, 0, 0, 0, 0]) };
    }
}

#[inline(always)]
pub(super) fn check(result: isize) -> Outcome {
    if result < 0 {
        Err(Refused(result))
    } else {
        Ok(())
    }
}

/// # Safety
/// As `syscall`.
#[inline(always)]
pub(super) unsafe fn call(number: libc::c_long, args: [usize; 6]) -> isize {
    // SAFETY: the caller's promise.
    unsafe { syscall(number, args) }
}

/// # Safety
/// As `syscall`.
#[inline(always)]
pub(super) unsafe fn call3(number: libc::c_long, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { syscall(number, [a, b, c, 0, 0, 0]) }
}

/// # Safety
/// `option` must be one whose arguments are numbers.
#[inline(always)]
pub(super) unsafe fn prctl(option: c_int, a: usize, b: usize) -> isize {
    // SAFETY: the caller's promise; the unused arguments are zero.
    unsafe { syscall(libc::SYS_prctl, [option as usize, a, b, 0, 0, 0]) }
}
