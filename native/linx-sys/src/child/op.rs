//! What a child does, one operation at a time.
//!
//! The parent prepares [`Op`]s; the child executes them with raw system calls and nothing else. The
//! same operations come from two places: prepared in memory ([`super::Plan`]) and, while the child is
//! parked, as [`Record`]s over its control socket.

use std::ffi::{c_char, c_int, CString};

use super::stage::Stage;

/// One step of the child. Pointers lead into the [`super::Plan`] (or the child's own scratch memory),
/// which outlives the child's use of them.
#[derive(Clone, Copy)]
pub(super) enum Op {
    /// `prctl(PR_SET_PDEATHSIG)`, then leave if the parent is gone already.
    DeathSignal(c_int),
    /// `close_range(first, last, flags)`.
    CloseRange(u32, u32, u32),
    /// Tell the parent, through shared memory, that the descriptor table is the child's own now.
    MarkUnshared,
    Setsid,
    /// `prctl(PR_SET_CHILD_SUBREAPER, 1)`: descendants stay below this process while it lives.
    Subreaper,
    /// Unblock every signal. Dispositions are the default ones: the parent has no handler.
    UnblockSignals,
    /// `prlimit(RLIMIT_NOFILE)`: give back the limits that the parent had raised for itself.
    FileLimit(libc::rlimit64),
    /// `prctl(PR_SET_DUMPABLE, 1)`, so that an unprivileged owner may write the id maps.
    Dumpable,
    SetNs {
        fd: c_int,
        flag: c_int,
    },
    /// Become root of the user namespace just joined.
    NamespaceRoot,
    /// Fork once more, so that the caller enters the pid (and time) namespace it joined.
    ForkAgain,
    /// `dup3(from, to, 0)`.
    Dup(c_int, c_int),
    /// Open a file as descriptor `to`.
    Open {
        path: *const c_char,
        flags: c_int,
        to: c_int,
    },
    /// Make the terminal on descriptor 0 the controlling one.
    ControllingTerminal,
    Chdir(*const c_char),
    NoNewPrivs,
    Exec(*const Exec),
    DropBounding(u64),
    SetThreadSets {
        sets: [u64; 3],
        keep: u8,
    },
    SetAmbient(u64),
    RaiseAmbient(u64),
    LowerAmbient(u64),
    RaiseEffective(u64),
    ClearEffective,
    RestoreEffective,
    KeepOnly(u64),
    SetSecurebits(u32),
    Chroot(*const c_char),
    SetGroups {
        gid: u32,
        groups: *const u32,
        count: usize,
    },
    SetUid(u32),
    /// Answer with [`Report::SYNCED`] and the secure bits.
    Sync,
    /// The end of the checkpoint.
    Proceed,
}

/// An operation and the stage to name if it fails.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub op: Op,
    pub stage: u32,
}

impl Step {
    pub fn new(stage: Stage, op: Op) -> Self {
        Step {
            op,
            stage: stage.code(),
        }
    }
}

/// The arguments of `execve(2)`: every path to try, in order, and two null-terminated vectors.
pub(super) struct Exec {
    pub paths: *const *const c_char,
    pub argv: *const *const c_char,
    pub envp: *const *const c_char,
}

/// An operation on its way to a parked child; `len` bytes of payload follow it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Record {
    pub code: u32,
    pub stage: u32,
    pub len: u32,
    pub small: u32,
    pub args: [u64; 3],
}

impl Record {
    pub const DROP_BOUNDING: u32 = 1;
    pub const SET_THREAD_SETS: u32 = 2;
    pub const SET_AMBIENT: u32 = 3;
    pub const RAISE_AMBIENT: u32 = 4;
    pub const LOWER_AMBIENT: u32 = 5;
    pub const RAISE_EFFECTIVE: u32 = 6;
    pub const CLEAR_EFFECTIVE: u32 = 7;
    pub const RESTORE_EFFECTIVE: u32 = 8;
    pub const KEEP_ONLY: u32 = 9;
    pub const SET_SECUREBITS: u32 = 10;
    pub const NO_NEW_PRIVS: u32 = 11;
    pub const CHROOT: u32 = 12;
    pub const SET_GROUPS: u32 = 13;
    pub const SET_UID: u32 = 14;
    pub const SYNC: u32 = 15;
    pub const PROCEED: u32 = 16;
    pub const SIZE: usize = size_of::<Record>();
}

/// What a child says to its parent.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Report {
    pub kind: u32,
    pub stage: u32,
    pub errno: i32,
    /// A pid; the secure bits in [`Report::SYNCED`].
    pub value: i32,
}

impl Report {
    pub const FORKED: u32 = 1;
    pub const READY: u32 = 2;
    pub const FAILED: u32 = 3;
    pub const SYNCED: u32 = 4;
    pub const SIZE: usize = size_of::<Report>();
}

/// One thing a child can do to itself at the checkpoint. What is asked of it (`drop_bounding`, `set_mode`) is made of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `prctl(PR_CAPBSET_DROP)` for each bit.
    DropBounding(u64),
    /// `capset(2)`: effective, permitted, inheritable; `None` leaves that set as it is.
    SetThreadSets([Option<u64>; 3]),
    /// `PR_CAP_AMBIENT_CLEAR_ALL`, then `PR_CAP_AMBIENT_RAISE` for each bit.
    SetAmbient(u64),
    /// `PR_CAP_AMBIENT_RAISE` for each bit.
    RaiseAmbient(u64),
    /// `PR_CAP_AMBIENT_LOWER` for each bit.
    LowerAmbient(u64),
    /// Adds those of the mask that are permitted to the effective set, which is remembered as it was.
    RaiseEffective(u64),
    /// Empties the effective set.
    ClearEffective,
    /// Makes the effective set what it was before [`Act::RaiseEffective`], as far as it is still permitted.
    RestoreEffective,
    /// Leaves at most the mask in every set, so that a program executed has at most that, and has it where possible: root by
    /// the bounding set, others by the ambient set.
    KeepOnly(u64),
    /// `prctl(PR_SET_SECUREBITS)`.
    SetSecurebits(u32),
    /// `prctl(PR_SET_NO_NEW_PRIVS)`.
    NoNewPrivs,
    /// `chroot(2)`, then `chdir(2)` to the new root.
    Chroot(CString),
    /// `setgroups(2)` and `setresgid(2)`.
    SetGroups {
        /// Real, effective and saved group id.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// `setresuid(2)` with the permitted set kept (`PR_SET_KEEPCAPS`).
    SetUid(u32),
}

/// What a parked child can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Do this; the stage is named if it is refused.
    Act(Act, Stage),
    /// Give a sign that all before it has been done.
    Sync,
    /// Leave the checkpoint for exec.
    Proceed,
}

/// Most supplementary groups a process can have (`NGROUPS_MAX`, `getgroups(2)`).
pub(super) const MAX_GROUPS: usize = 65_536;

impl Act {
    /// The act as an operation whose pointers lead into `self`.
    pub(super) fn as_op(&self) -> Op {
        match self {
            Act::DropBounding(mask) => Op::DropBounding(*mask),
            Act::SetThreadSets(sets) => {
                let (sets, keep) = split_keep(sets);
                Op::SetThreadSets { sets, keep }
            }
            Act::SetAmbient(mask) => Op::SetAmbient(*mask),
            Act::RaiseAmbient(mask) => Op::RaiseAmbient(*mask),
            Act::LowerAmbient(mask) => Op::LowerAmbient(*mask),
            Act::RaiseEffective(mask) => Op::RaiseEffective(*mask),
            Act::ClearEffective => Op::ClearEffective,
            Act::RestoreEffective => Op::RestoreEffective,
            Act::KeepOnly(mask) => Op::KeepOnly(*mask),
            Act::SetSecurebits(bits) => Op::SetSecurebits(*bits),
            Act::NoNewPrivs => Op::NoNewPrivs,
            Act::Chroot(path) => Op::Chroot(path.as_ptr()),
            Act::SetGroups { gid, groups } => Op::SetGroups {
                gid: *gid,
                groups: groups.as_ptr(),
                count: groups.len(),
            },
            Act::SetUid(uid) => Op::SetUid(*uid),
        }
    }

    /// The act as a record and its payload.
    fn as_record(&self) -> (Record, Vec<u8>) {
        let plain = |code| Record {
            code,
            stage: 0,
            len: 0,
            small: 0,
            args: [0; 3],
        };
        let masked = |code, mask: &u64| Record {
            args: [*mask, 0, 0],
            ..plain(code)
        };
        let small = |code, small: u32| Record {
            small,
            ..plain(code)
        };
        let record = match self {
            Act::DropBounding(mask) => masked(Record::DROP_BOUNDING, mask),
            Act::SetThreadSets(sets) => {
                let (args, keep) = split_keep(sets);
                Record {
                    args,
                    ..small(Record::SET_THREAD_SETS, u32::from(keep))
                }
            }
            Act::SetAmbient(mask) => masked(Record::SET_AMBIENT, mask),
            Act::RaiseAmbient(mask) => masked(Record::RAISE_AMBIENT, mask),
            Act::LowerAmbient(mask) => masked(Record::LOWER_AMBIENT, mask),
            Act::RaiseEffective(mask) => masked(Record::RAISE_EFFECTIVE, mask),
            Act::ClearEffective => plain(Record::CLEAR_EFFECTIVE),
            Act::RestoreEffective => plain(Record::RESTORE_EFFECTIVE),
            Act::KeepOnly(mask) => masked(Record::KEEP_ONLY, mask),
            Act::SetSecurebits(bits) => small(Record::SET_SECUREBITS, *bits),
            Act::NoNewPrivs => plain(Record::NO_NEW_PRIVS),
            Act::Chroot(path) => {
                return (plain(Record::CHROOT), path.as_bytes_with_nul().to_vec());
            }
            Act::SetGroups { gid, groups } => {
                let payload = groups
                    .iter()
                    .flat_map(|group| group.to_ne_bytes())
                    .collect();
                return (small(Record::SET_GROUPS, *gid), payload);
            }
            Act::SetUid(uid) => small(Record::SET_UID, *uid),
        };
        (record, Vec::new())
    }
}

impl Order {
    /// The order as it goes over the control socket.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let plain = |code| Record {
            code,
            stage: 0,
            len: 0,
            small: 0,
            args: [0; 3],
        };
        let (record, payload, stage) = match self {
            Order::Act(act, stage) => {
                let (record, payload) = act.as_record();
                (record, payload, *stage)
            }
            Order::Sync => (plain(Record::SYNC), Vec::new(), Stage::Protocol),
            Order::Proceed => (plain(Record::PROCEED), Vec::new(), Stage::Protocol),
        };
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(Record::SIZE + payload.len());
        for word in [record.code, stage.code(), len, record.small] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        record
            .args
            .iter()
            .for_each(|arg| bytes.extend_from_slice(&arg.to_ne_bytes()));
        bytes.extend_from_slice(&payload);
        bytes
    }
}

/// The masks, and which of the three are to stay as they are (bit 0: effective, 1: permitted, 2: inheritable).
fn split_keep(sets: &[Option<u64>; 3]) -> ([u64; 3], u8) {
    let keep = sets
        .iter()
        .rev()
        .fold(0, |keep, set| keep << 1 | u8::from(set.is_none()));
    (sets.map(|set| set.unwrap_or(0)), keep)
}
