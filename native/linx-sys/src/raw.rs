//! System calls as bare instructions.
//!
//! A child that shares its parent's memory must not call libc: every wrapper writes `errno` into the
//! parent's thread-local storage. These functions touch registers only and return `-errno` on
//! failure, as the kernel does (`syscall(2)`).

use std::arch::asm;

/// A system call of up to six arguments; the result is the kernel's, `-errno` on failure.
///
/// # Safety
/// The arguments must be valid for the system call `number`, as its manual page says.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let ret: isize;
    // SAFETY: the kernel's calling convention: it clobbers rcx and r11 and nothing else of ours; the
    // caller vouches for the arguments.
    unsafe {
        asm!("syscall",
            inlateout("rax") number as isize => ret,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            out("rcx") _, out("r11") _,
            options(nostack));
    }
    ret
}

/// A system call of up to six arguments; the result is the kernel's, `-errno` on failure.
///
/// # Safety
/// The arguments must be valid for the system call `number`, as its manual page says.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: libc::c_long, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let ret: isize;
    // SAFETY: the kernel's calling convention: it keeps every register but x0; the caller vouches
    // for the arguments.
    unsafe {
        asm!("svc 0",
            in("x8") number,
            inlateout("x0") a => ret,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack));
    }
    ret
}

/// `clone3(2)` whose child runs `entry(arg)`, on the stack that `args` names or, if it names none, on
/// a copy of the caller's. Returns the child's pid, or `-errno`, to the parent.
///
/// # Safety
/// `args` must be valid for `clone3(2)`; a stack it names must be mapped, 16-byte aligned at its end and
/// used by nobody else while the child lives; with `CLONE_VM` so must everything `entry` reaches from
/// `arg`. `entry` must never return.
#[cfg(target_arch = "x86_64")]
pub(crate) unsafe fn clone_into<T>(
    args: &libc::clone_args,
    entry: unsafe extern "C" fn(*mut T) -> !,
    arg: *mut T,
) -> isize {
    let ret: isize;
    // SAFETY: rcx and r11 are declared lost, so `entry` and `arg` live in registers the kernel keeps;
    // the child leaves this frame for good by the call. The rest is the caller's promise.
    unsafe {
        asm!("syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {arg}",
            "call {entry}",
            "ud2",
            "2:",
            entry = in(reg) entry,
            arg = in(reg) arg,
            inlateout("rax") libc::SYS_clone3 as isize => ret,
            in("rdi") args, in("rsi") size_of::<libc::clone_args>(),
            out("rcx") _, out("r11") _);
    }
    ret
}

/// `clone3(2)` whose child runs `entry(arg)`, on the stack that `args` names or, if it names none, on
/// a copy of the caller's. Returns the child's pid, or `-errno`, to the parent.
///
/// # Safety
/// `args` must be valid for `clone3(2)`; a stack it names must be mapped, 16-byte aligned at its end and
/// used by nobody else while the child lives; with `CLONE_VM` so must everything `entry` reaches from
/// `arg`. `entry` must never return.
#[cfg(target_arch = "aarch64")]
pub(crate) unsafe fn clone_into<T>(
    args: &libc::clone_args,
    entry: unsafe extern "C" fn(*mut T) -> !,
    arg: *mut T,
) -> isize {
    let ret: isize;
    // SAFETY: the kernel keeps every register but x0, so `entry` and `arg` reach the child; it leaves
    // this frame for good by the branch. The rest is the caller's promise.
    unsafe {
        asm!("svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {arg}",
            "blr {entry}",
            "brk 1",
            "2:",
            entry = in(reg) entry,
            arg = in(reg) arg,
            in("x8") libc::SYS_clone3,
            inlateout("x0") args as *const _ as isize => ret,
            in("x1") size_of::<libc::clone_args>());
    }
    ret
}
