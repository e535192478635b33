//! The code a child runs between clone and exec.
//!
//! It may share its parent's memory and thread-local storage. So nothing here calls libc, allocates,
//! panics, or writes to anything but its own stack, its own [`Block`] and what lies in its own scratch memory:
//! only raw system calls on what the parent has prepared.

use std::ffi::c_int;
use std::ptr::{addr_of, addr_of_mut};
use std::sync::atomic::{AtomicBool, Ordering};

use super::op::{Exec, Op, Record, Report, Step};
use crate::raw::syscall;

/// Everything the child needs, laid out by the parent before the clone.
#[repr(C)]
pub(super) struct Block {
    pub control: c_int,
    pub before_ready: *const Step,
    pub before_ready_len: usize,
    pub after_proceed: *const Step,
    pub after_proceed_len: usize,
    /// Exec without waiting at the checkpoint.
    pub auto_proceed: bool,
    /// The parent's flag, set once the descriptor table is the child's own.
    pub unshared: *const AtomicBool,
    /// Memory for the payload of records.
    pub scratch: *mut u8,
    pub scratch_len: usize,
    /// Written by the child: its effective set before the last `RaiseEffective`.
    pub effective: u64,
}

const EINTR: isize = -(libc::EINTR as isize);
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const CAP_SETPCAP: u32 = 8;
const SECBIT_NOROOT: isize = 1;
/// Bits of the `keep` argument of [`Op::SetThreadSets`].
const KEEP_EFFECTIVE: u8 = 1;
const KEEP_PERMITTED: u8 = 2;
const KEEP_INHERITABLE: u8 = 4;

/// A failed operation: the kernel's `-errno`.
struct Refused(isize);

type Outcome = Result<(), Refused>;

/// The child's whole life. Ends in exec or `exit_group`.
///
/// # Safety
/// `block` and all it points to must stay valid and unshared, but for the parent's reading of `unshared`,
/// until the child execs or is gone.
pub(super) unsafe extern "C" fn child_main(block: *mut Block) -> ! {
    // SAFETY: the caller's promise covers every access below; `run` and its helpers only read the
    // block and the steps, and write the scratch memory.
    unsafe {
        run_steps(block, (*block).before_ready, (*block).before_ready_len);
        let pid = call(libc::SYS_getpid, [0; 6]) as i32;
        report(
            block,
            Report {
                kind: Report::READY,
                stage: 0,
                errno: 0,
                value: pid,
            },
        );
        if !(*block).auto_proceed {
            serve(block);
        }
        run_steps(block, (*block).after_proceed, (*block).after_proceed_len);
        exit(0)
    }
}

/// Runs prepared steps; the first that fails is reported and ends the child.
///
/// # Safety
/// As [`child_main`]; `steps` must point to `len` steps.
unsafe fn run_steps(block: *mut Block, steps: *const Step, len: usize) {
    let mut i = 0;
    while i < len {
        // SAFETY: i < len, and the caller vouches for the rest.
        unsafe {
            let step = steps.add(i);
            if let Err(refused) = run(block, addr_of!((*step).op)) {
                fail(block, (*step).stage, refused);
            }
        }
        i = i.wrapping_add(1);
    }
}

/// The checkpoint: executes records until `PROCEED`; leaves when the parent hangs up.
///
/// # Safety
/// As [`child_main`].
unsafe fn serve(block: *mut Block) {
    let mut record = Record {
        code: 0,
        stage: 0,
        len: 0,
        small: 0,
        args: [0; 3],
    };
    loop {
        // SAFETY: the record is ours, the scratch memory is as long as the block says, and the
        // length of the payload is checked against it.
        unsafe {
            receive(block, addr_of_mut!(record).cast(), Record::SIZE);
            if record.len as usize > (*block).scratch_len {
                fail(block, record.stage, Refused(-(libc::EINVAL as isize)));
            }
            receive(block, (*block).scratch, record.len as usize);
            match decode(block, &record) {
                Some(Op::Proceed) => return,
                Some(op) => {
                    if let Err(refused) = run(block, &op) {
                        fail(block, record.stage, refused);
                    }
                }
                None => fail(block, record.stage, Refused(-(libc::EINVAL as isize))),
            }
        }
    }
}

/// # Safety
/// As [`child_main`].
#[inline(always)]
unsafe fn decode(block: *mut Block, record: &Record) -> Option<Op> {
    let [a, b, c] = record.args;
    Some(match record.code {
        Record::DROP_BOUNDING => Op::DropBounding(a),
        Record::SET_THREAD_SETS => Op::SetThreadSets {
            sets: [a, b, c],
            keep: record.small as u8,
        },
        Record::SET_AMBIENT => Op::SetAmbient(a),
        Record::RAISE_AMBIENT => Op::RaiseAmbient(a),
        Record::LOWER_AMBIENT => Op::LowerAmbient(a),
        Record::RAISE_EFFECTIVE => Op::RaiseEffective(a),
        Record::CLEAR_EFFECTIVE => Op::ClearEffective,
        Record::RESTORE_EFFECTIVE => Op::RestoreEffective,
        Record::KEEP_ONLY => Op::KeepOnly(a),
        Record::SET_SECUREBITS => Op::SetSecurebits(record.small),
        Record::NO_NEW_PRIVS => Op::NoNewPrivs,
        // SAFETY: the block is valid; the payload just received ends in a zero byte.
        Record::CHROOT => Op::Chroot(unsafe { (*block).scratch }.cast_const().cast()),
        Record::SET_GROUPS => Op::SetGroups {
            gid: record.small,
            // SAFETY: the block is valid; scratch memory is page-aligned.
            groups: unsafe { (*block).scratch }.cast_const().cast(),
            count: record.len as usize / size_of::<u32>(),
        },
        Record::SET_UID => Op::SetUid(record.small),
        Record::SYNC => Op::Sync,
        Record::PROCEED => Op::Proceed,
        _ => return None,
    })
}

/// Executes one operation.
///
/// # Safety
/// As [`child_main`]; pointers in `op` must be valid as its kind demands.
unsafe fn run(block: *mut Block, op: *const Op) -> Outcome {
    // SAFETY: the parent prepared the pointers for exactly these calls; numbers cannot break memory.
    unsafe {
        match *op {
            Op::DeathSignal(signal) => death_signal(block, signal),
            Op::CloseRange(first, last, flags) => check(call3(
                libc::SYS_close_range,
                first as usize,
                last as usize,
                flags as usize,
            )),
            Op::MarkUnshared => {
                (*(*block).unshared).store(true, Ordering::Release);
                Ok(())
            }
            Op::Setsid => check(call(libc::SYS_setsid, [0; 6])),
            Op::Subreaper => check(prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0)),
            Op::UnblockSignals => {
                let none = 0u64;
                let set = addr_of!(none) as usize;
                check(call(
                    libc::SYS_rt_sigprocmask,
                    [libc::SIG_SETMASK as usize, set, 0, 8, 0, 0],
                ))
            }
            Op::FileLimit(limit) => {
                let limit = addr_of!(limit) as usize;
                let nofile = libc::RLIMIT_NOFILE as usize;
                check(call(libc::SYS_prlimit64, [0, nofile, limit, 0, 0, 0]))
            }
            Op::Dumpable => check(prctl(libc::PR_SET_DUMPABLE, 1, 0)),
            Op::SetNs { fd, flag } => check(call3(libc::SYS_setns, fd as usize, flag as usize, 0)),
            Op::NamespaceRoot => namespace_root(),
            Op::ForkAgain => fork_again(block),
            Op::Dup(from, to) => dup(from, to),
            Op::Open { path, flags, to } => open(path, flags, to),
            Op::ControllingTerminal => {
                check(call3(libc::SYS_ioctl, 0, libc::TIOCSCTTY as usize, 0))
            }
            Op::Chdir(path) => check(call3(libc::SYS_chdir, path as usize, 0, 0)),
            Op::NoNewPrivs => check(prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0)),
            Op::Exec(exec) => execute(exec),
            Op::DropBounding(mask) => each_bit(mask, |bit| prctl(libc::PR_CAPBSET_DROP, bit, 0)),
            Op::SetThreadSets { sets, keep } => set_thread_sets(sets, keep),
            Op::SetAmbient(mask) => {
                check(prctl_ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0))?;
                each_bit(mask, |bit| prctl_ambient(libc::PR_CAP_AMBIENT_RAISE, bit))
            }
            Op::RaiseAmbient(mask) => {
                each_bit(mask, |bit| prctl_ambient(libc::PR_CAP_AMBIENT_RAISE, bit))
            }
            Op::LowerAmbient(mask) => {
                each_bit(mask, |bit| prctl_ambient(libc::PR_CAP_AMBIENT_LOWER, bit))
            }
            Op::RaiseEffective(mask) => raise_effective(block, mask),
            Op::ClearEffective => set_thread_sets([0; 3], KEEP_PERMITTED | KEEP_INHERITABLE),
            Op::RestoreEffective => restore_effective(block),
            Op::KeepOnly(mask) => keep_only(mask),
            Op::SetSecurebits(bits) => check(prctl(libc::PR_SET_SECUREBITS, bits as usize, 0)),
            Op::Chroot(path) => chroot(path),
            Op::SetGroups { gid, groups, count } => set_groups(gid, groups, count),
            Op::SetUid(uid) => set_uid(uid),
            Op::Sync => sync(block),
            Op::Proceed => Ok(()),
        }
    }
}

/// # Safety
/// As [`child_main`].
unsafe fn sync(block: *mut Block) -> Outcome {
    // SAFETY: prctl with numbers; the rest is the caller's promise.
    unsafe {
        let securebits = prctl(libc::PR_GET_SECUREBITS, 0, 0);
        report(
            block,
            Report {
                kind: Report::SYNCED,
                stage: 0,
                errno: 0,
                value: securebits as i32,
            },
        );
    }
    Ok(())
}

/// # Safety
/// As [`child_main`].
unsafe fn death_signal(block: *mut Block, signal: c_int) -> Outcome {
    // SAFETY: prctl with numbers; poll on one entry of our own stack.
    unsafe {
        check(prctl(libc::PR_SET_PDEATHSIG, signal as usize, 0))?;
        let control = (*block).control;
        let mut poll = libc::pollfd {
            fd: control,
            events: 0,
            revents: 0,
        };
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let args = [
            addr_of_mut!(poll) as usize,
            1,
            addr_of!(at_once) as usize,
            0,
            8,
            0,
        ];
        call(libc::SYS_ppoll, args);
        if poll.revents & libc::POLLHUP != 0 {
            exit(1);
        }
    }
    Ok(())
}

/// # Safety
/// None: the calls take numbers only.
unsafe fn namespace_root() -> Outcome {
    // SAFETY: a count of zero makes the kernel ignore the list.
    unsafe {
        // Refused where the namespace has setgroups denied; then there is nothing to clear with.
        call3(libc::SYS_setgroups, 0, 0, 0);
        check(call3(libc::SYS_setresgid, 0, 0, 0))?;
        check(call3(libc::SYS_setresuid, 0, 0, 0))
    }
}

/// # Safety
/// The caller must not share its memory with its parent: the copy goes on as this child.
unsafe fn fork_again(block: *mut Block) -> Outcome {
    // CLONE_PARENT makes the copy a child of the agent, which reaps it.
    let mut args: libc::clone_args = CLONE_NOTHING;
    args.flags = libc::CLONE_PARENT as u64;
    let args_at = addr_of!(args) as usize;
    // SAFETY: no CLONE_VM and no stack: the copy continues here in memory of its own.
    unsafe {
        let pid = call(
            libc::SYS_clone3,
            [args_at, size_of::<libc::clone_args>(), 0, 0, 0, 0],
        );
        if pid > 0 {
            report(
                block,
                Report {
                    kind: Report::FORKED,
                    stage: 0,
                    errno: 0,
                    value: pid as i32,
                },
            );
            exit(0);
        }
        check(pid)?;
        // The parent-death signal is not inherited.
        death_signal(block, libc::SIGKILL)
    }
}

const CLONE_NOTHING: libc::clone_args = libc::clone_args {
    flags: 0,
    pidfd: 0,
    child_tid: 0,
    parent_tid: 0,
    exit_signal: 0,
    stack: 0,
    stack_size: 0,
    tls: 0,
    set_tid: 0,
    set_tid_size: 0,
    cgroup: 0,
};

/// # Safety
/// None: descriptors are numbers to the kernel.
unsafe fn dup(from: c_int, to: c_int) -> Outcome {
    // SAFETY: fcntl and dup3 take numbers only.
    unsafe {
        if from == to {
            return check(call3(
                libc::SYS_fcntl,
                to as usize,
                libc::F_SETFD as usize,
                0,
            ));
        }
        check(call3(libc::SYS_dup3, from as usize, to as usize, 0))
    }
}

/// # Safety
/// `path` must be a C string.
unsafe fn open(path: *const std::ffi::c_char, flags: c_int, to: c_int) -> Outcome {
    let here = libc::AT_FDCWD as usize;
    // SAFETY: the caller's promise; the rest are numbers.
    unsafe {
        let fd = loop {
            let args = [here, path as usize, flags as usize, 0o644, 0, 0];
            let fd = call(libc::SYS_openat, args);
            if fd != EINTR {
                break fd;
            }
        };
        check(fd)?;
        if fd as c_int == to {
            return Ok(());
        }
        dup(fd as c_int, to)?;
        check(call3(libc::SYS_close, fd as usize, 0, 0))
    }
}

/// Tries each path as `execvp(3)` does: what is not there is passed over, a file that may not be executed
/// is remembered, anything else is final.
///
/// # Safety
/// `exec` and its vectors must be valid and null-terminated.
unsafe fn execute(exec: *const Exec) -> Outcome {
    let mut outcome = -(libc::ENOENT as isize);
    // SAFETY: the vectors end in null, where the walk stops.
    unsafe {
        let Exec { paths, argv, envp } = *exec;
        let searched = !(*paths).is_null() && !(*paths.add(1)).is_null();
        let mut path = paths;
        while !(*path).is_null() {
            let refused = call3(
                libc::SYS_execve,
                *path as usize,
                argv as usize,
                envp as usize,
            );
            match refused.wrapping_neg() as c_int {
                libc::ENOENT | libc::ENOTDIR if searched => {}
                libc::EACCES => outcome = refused,
                _ => return Err(Refused(refused)),
            }
            path = path.add(1);
        }
    }
    Err(Refused(outcome))
}

/// # Safety
/// `make` must be sound for every bit number.
#[inline(always)]
unsafe fn each_bit(mask: u64, make: impl Fn(usize) -> isize) -> Outcome {
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
unsafe fn set_thread_sets(sets: [u64; 3], keep: u8) -> Outcome {
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
/// As [`child_main`].
unsafe fn raise_effective(block: *mut Block, mask: u64) -> Outcome {
    // SAFETY: the block is the child's to write; the calls take numbers.
    unsafe {
        let [e, p, i] = capget()?;
        (*block).effective = e;
        capset([e | (p & mask), p, i])
    }
}

/// # Safety
/// As [`child_main`].
unsafe fn restore_effective(block: *mut Block) -> Outcome {
    // SAFETY: as above.
    unsafe {
        let [_, p, i] = capget()?;
        capset([(*block).effective & p, p, i])
    }
}

/// # Safety
/// None: numbers only.
unsafe fn keep_only(mask: u64) -> Outcome {
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
unsafe fn chroot(path: *const std::ffi::c_char) -> Outcome {
    // SAFETY: the caller's promise, and a string of our own.
    unsafe {
        check(call3(libc::SYS_chroot, path as usize, 0, 0))?;
        check(call3(libc::SYS_chdir, c"/".as_ptr() as usize, 0, 0))
    }
}

/// # Safety
/// `groups` must point to `count` group ids.
unsafe fn set_groups(gid: u32, groups: *const u32, count: usize) -> Outcome {
    let gid = gid as usize;
    // SAFETY: the caller's promise.
    unsafe {
        check(call3(libc::SYS_setgroups, count, groups as usize, 0))?;
        check(call3(libc::SYS_setresgid, gid, gid, gid))
    }
}

/// # Safety
/// None: numbers only.
unsafe fn set_uid(uid: u32) -> Outcome {
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
unsafe fn prctl_ambient(what: c_int, bit: usize) -> isize {
    // SAFETY: numbers only.
    unsafe { prctl(libc::PR_CAP_AMBIENT, what as usize, bit) }
}

/// Reads exactly `len` bytes from the control socket; leaves if the parent has hung up.
///
/// # Safety
/// `to` must have room for `len` bytes that are the child's own.
unsafe fn receive(block: *mut Block, to: *mut u8, len: usize) {
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
/// As [`child_main`].
unsafe fn report(block: *mut Block, report: Report) {
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
/// As [`child_main`].
unsafe fn fail(block: *mut Block, stage: u32, Refused(errno): Refused) -> ! {
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

fn exit(status: usize) -> ! {
    loop {
        // SAFETY: exit_group ends the child (and, having no other thread, only the child).
        unsafe { call(libc::SYS_exit_group, [status, 0, 0, 0, 0, 0]) };
    }
}

#[inline(always)]
fn check(result: isize) -> Outcome {
    if result < 0 {
        Err(Refused(result))
    } else {
        Ok(())
    }
}

/// # Safety
/// As [`syscall`].
#[inline(always)]
unsafe fn call(number: libc::c_long, args: [usize; 6]) -> isize {
    // SAFETY: the caller's promise.
    unsafe { syscall(number, args) }
}

/// # Safety
/// As [`syscall`].
#[inline(always)]
unsafe fn call3(number: libc::c_long, a: usize, b: usize, c: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { syscall(number, [a, b, c, 0, 0, 0]) }
}

/// # Safety
/// `option` must be one whose arguments are numbers.
#[inline(always)]
unsafe fn prctl(option: c_int, a: usize, b: usize) -> isize {
    // SAFETY: the caller's promise; the unused arguments are zero.
    unsafe { syscall(libc::SYS_prctl, [option as usize, a, b, 0, 0, 0]) }
}
