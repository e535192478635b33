//! The code a child runs between clone and exec.
//!
//! It may share its parent's memory and thread-local storage. So nothing here calls libc, allocates,
//! panics, or writes to anything but its own stack, its own [`Block`] and what lies in its own scratch memory:
//! only raw system calls on what the parent has prepared. `script/child` holds the machine code to it.

use std::ffi::c_int;
use std::ptr::{addr_of, addr_of_mut};
use std::sync::atomic::Ordering;

use linx_caps::securebits::Securebits;
use linx_caps::CapSet;

use super::block::{fail, receive, report, Block};
use super::calls::{call, call3, check, exit, prctl, Outcome, Refused, EINTR};
use super::op::{Exec, Instruction, Op, Record, Report};
use super::powers::{
    chroot, drop_bounding, keep_only, lower_ambient, raise_ambient, raise_effective,
    restore_effective, set_ambient, set_groups, set_thread_sets, set_uid,
};

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
        let fate = (*block).fate;
        if fate.is_null() {
            report_ready(block);
            serve(block);
        } else if !(*fate).commit() {
            exit(0);
        } else if !(*block).unshared.is_null() {
            // The parent takes back what it lent only when it is told, and sees no end of the socket before that.
            report_ready(block);
        }
        run_steps(block, (*block).after_proceed, (*block).after_proceed_len);
        exit(0)
    }
}

/// Tells that the checkpoint is reached. Of a child that does not wait there its fate tells as much, and it saves itself
/// a call that would wake the parent.
///
/// # Safety
/// As [`child_main`].
#[inline(always)]
unsafe fn report_ready(block: *mut Block) {
    // SAFETY: the caller's promise.
    unsafe {
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
    }
}

/// Runs prepared steps; the first that fails is reported and ends the child.
///
/// # Safety
/// As [`child_main`]; `steps` must point to `len` steps.
unsafe fn run_steps(block: *mut Block, steps: *const Instruction, len: usize) {
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
    let mut record = Record::plain(0);
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
        Record::DROP_BOUNDING => Op::DropBounding(CapSet::from_bits(a)),
        Record::SET_THREAD_SETS => Op::SetThreadSets {
            sets: [a, b, c],
            keep: record.small as u8,
        },
        Record::SET_AMBIENT => Op::SetAmbient(CapSet::from_bits(a)),
        Record::RAISE_AMBIENT => Op::RaiseAmbient(CapSet::from_bits(a)),
        Record::LOWER_AMBIENT => Op::LowerAmbient(CapSet::from_bits(a)),
        Record::RAISE_EFFECTIVE => Op::RaiseEffective(CapSet::from_bits(a)),
        Record::RESTORE_EFFECTIVE => Op::RestoreEffective,
        Record::KEEP_ONLY => Op::KeepOnly {
            keep: CapSet::from_bits(a),
            drop: CapSet::from_bits(b),
        },
        Record::SET_SECUREBITS => Op::SetSecurebits(Securebits::from_bits(record.small)),
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
            Op::DropBounding(set) => drop_bounding(set),
            Op::SetThreadSets { sets, keep } => set_thread_sets(sets, keep),
            Op::SetAmbient(set) => set_ambient(set),
            Op::RaiseAmbient(set) => raise_ambient(set),
            Op::LowerAmbient(set) => lower_ambient(set),
            Op::RaiseEffective(needed) => raise_effective(block, needed),
            Op::RestoreEffective => restore_effective(block),
            Op::KeepOnly { keep, drop } => keep_only(keep, drop),
            Op::SetSecurebits(bits) => {
                check(prctl(libc::PR_SET_SECUREBITS, bits.bits() as usize, 0))
            }
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

/// As `fork(2)`, and without a signal at the end.
pub(super) const CLONE_NOTHING: libc::clone_args = libc::clone_args {
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
