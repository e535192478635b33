//! What a child shares with its parent, and the socket between them.

use std::ffi::c_int;
use std::ptr::addr_of;
use std::sync::atomic::AtomicBool;

use linx_caps::CapSet;

use super::calls::{call, call3, exit, Refused, EINTR};
use super::fate::Fate;
use super::op::{Instruction, Report};

/// Everything the child needs, laid out by the parent before the clone.
#[repr(C)]
pub(super) struct Block {
    pub control: c_int,
    pub before_ready: *const Instruction,
    pub before_ready_len: usize,
    pub after_proceed: *const Instruction,
    pub after_proceed_len: usize,
    /// Exec without waiting at the checkpoint, unless the parent has decided otherwise. Null for a child that waits.
    pub fate: *const Fate,
    /// The parent's flag, set once the descriptor table is the child's own.
    pub unshared: *const AtomicBool,
    /// Memory for the payload of records.
    pub scratch: *mut u8,
    pub scratch_len: usize,
    /// Written by the child: its effective set before the last `RaiseEffective`.
    pub effective: CapSet,
}

/// Reads exactly `len` bytes from the control socket; leaves if the parent has hung up.
///
/// # Safety
/// `to` must have room for `len` bytes that are the child's own.
pub(super) unsafe fn receive(block: *mut Block, to: *mut u8, len: usize) {
    let mut done = 0usize;
    while done < len {
        // SAFETY: done < len, so the rest fits.
        let got = unsafe {
            let control = (*block).control as usize;
            call3(
                libc::SYS_read,
                control,
                to.add(done) as usize,
                len.wrapping_sub(done),
            )
        };
        match got {
            EINTR => {}
            got if got <= 0 => exit(0),
            got => done = done.wrapping_add(got as usize),
        }
    }
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn report(block: *mut Block, report: Report) {
    // SAFETY: a report is plain bytes on our own stack. It is far smaller than a socket's buffer, so it
    // goes out whole; a parent that has hung up is found by the next read.
    unsafe {
        let args = [
            (*block).control as usize,
            addr_of!(report) as usize,
            Report::SIZE,
            libc::MSG_NOSIGNAL as usize,
            0,
            0,
        ];
        while call(libc::SYS_sendto, args) == EINTR {}
    }
}

/// # Safety
/// As `child_main`.
pub(super) unsafe fn fail(block: *mut Block, stage: u32, Refused(errno): Refused) -> ! {
    let errno = errno.wrapping_neg() as i32;
    // SAFETY: the caller's promise.
    unsafe {
        report(
            block,
            Report {
                kind: Report::FAILED,
                stage,
                errno,
                value: 0,
            },
        )
    };
    exit(127)
}
