//! What a child does, one operation at a time.
//!
//! The parent prepares [`Op`]s; the child executes them with raw system calls and nothing else. Those
//! that confine it are the model's [`Step`]s. They come from two places: prepared in memory ([`super::Plan`]) and,
//! while the child is parked, as [`Record`]s over its control socket.

use std::ffi::{c_char, c_int};

use linx_caps::plan::Step;
use linx_caps::securebits::Securebits;
use linx_caps::CapSet;

use super::stage::Stage;

/// One operation of the child. Pointers lead into the [`super::Plan`] (or the child's own scratch memory),
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
    DropBounding(CapSet),
    SetThreadSets {
        sets: [u64; 3],
        keep: u8,
    },
    SetAmbient(CapSet),
    RaiseAmbient(CapSet),
    LowerAmbient(CapSet),
    RaiseEffective(CapSet),
    RestoreEffective,
    KeepOnly {
        keep: CapSet,
        drop: CapSet,
    },
    SetSecurebits(Securebits),
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
pub(super) struct Instruction {
    pub op: Op,
    pub stage: u32,
}

impl Instruction {
    pub(super) fn new(stage: Stage, op: Op) -> Self {
        Instruction {
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
    pub const RESTORE_EFFECTIVE: u32 = 7;
    pub const KEEP_ONLY: u32 = 8;
    pub const SET_SECUREBITS: u32 = 9;
    pub const NO_NEW_PRIVS: u32 = 10;
    pub const CHROOT: u32 = 11;
    pub const SET_GROUPS: u32 = 12;
    pub const SET_UID: u32 = 13;
    pub const SYNC: u32 = 14;
    pub const PROCEED: u32 = 15;
    pub const SIZE: usize = size_of::<Record>();

    pub(super) const fn plain(code: u32) -> Record {
        Record {
            code,
            stage: 0,
            len: 0,
            small: 0,
            args: [0; 3],
        }
    }
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

/// What a parked child can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take this step; the stage is named if it is refused.
    Step(Step, Stage),
    /// Give a sign that all before it has been done.
    Sync,
    /// Leave the checkpoint for exec.
    Proceed,
}

/// Most supplementary groups a process can have (`NGROUPS_MAX`, `getgroups(2)`).
pub(super) const MAX_GROUPS: usize = 65_536;

/// A step as an operation whose pointers lead into the step.
pub(super) fn as_op(step: &Step) -> Op {
    match step {
        Step::DropBounding(set) => Op::DropBounding(*set),
        Step::SetThread {
            effective,
            permitted,
            inheritable,
        } => {
            let (sets, keep) = split_keep([effective, permitted, inheritable]);
            Op::SetThreadSets { sets, keep }
        }
        Step::SetAmbient(set) => Op::SetAmbient(*set),
        Step::RaiseAmbient(set) => Op::RaiseAmbient(*set),
        Step::LowerAmbient(set) => Op::LowerAmbient(*set),
        Step::RaiseEffective(set) => Op::RaiseEffective(*set),
        Step::RestoreEffective => Op::RestoreEffective,
        Step::KeepOnly { keep, drop } => Op::KeepOnly {
            keep: *keep,
            drop: *drop,
        },
        Step::SetSecurebits(bits) => Op::SetSecurebits(*bits),
        Step::SetNoNewPrivs => Op::NoNewPrivs,
        Step::Chroot(path) => Op::Chroot(path.as_ptr()),
        Step::SetGroups { gid, groups } => Op::SetGroups {
            gid: *gid,
            groups: groups.as_ptr(),
            count: groups.len(),
        },
        Step::SetUid(uid) => Op::SetUid(*uid),
    }
}

/// A step as a record and its payload.
fn as_record(step: &Step) -> (Record, Vec<u8>) {
    let plain = Record::plain;
    let set = |code, set: &CapSet| Record {
        args: [set.bits(), 0, 0],
        ..plain(code)
    };
    let small = |code, small: u32| Record {
        small,
        ..plain(code)
    };
    let record = match step {
        Step::DropBounding(drop) => set(Record::DROP_BOUNDING, drop),
        Step::SetThread {
            effective,
            permitted,
            inheritable,
        } => {
            let (args, keep) = split_keep([effective, permitted, inheritable]);
            Record {
                args,
                ..small(Record::SET_THREAD_SETS, u32::from(keep))
            }
        }
        Step::SetAmbient(ambient) => set(Record::SET_AMBIENT, ambient),
        Step::RaiseAmbient(raised) => set(Record::RAISE_AMBIENT, raised),
        Step::LowerAmbient(lowered) => set(Record::LOWER_AMBIENT, lowered),
        Step::RaiseEffective(needed) => set(Record::RAISE_EFFECTIVE, needed),
        Step::RestoreEffective => plain(Record::RESTORE_EFFECTIVE),
        Step::KeepOnly { keep, drop } => Record {
            args: [keep.bits(), drop.bits(), 0],
            ..plain(Record::KEEP_ONLY)
        },
        Step::SetSecurebits(bits) => small(Record::SET_SECUREBITS, bits.bits()),
        Step::SetNoNewPrivs => plain(Record::NO_NEW_PRIVS),
        Step::Chroot(path) => {
            return (plain(Record::CHROOT), path.as_bytes_with_nul().to_vec());
        }
        Step::SetGroups { gid, groups } => {
            let payload = groups
                .iter()
                .flat_map(|group| group.to_ne_bytes())
                .collect();
            return (small(Record::SET_GROUPS, *gid), payload);
        }
        Step::SetUid(uid) => small(Record::SET_UID, *uid),
    };
    (record, Vec::new())
}

impl Order {
    /// The order as it goes over the control socket.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (record, payload, stage) = match self {
            Order::Step(step, stage) => {
                let (record, payload) = as_record(step);
                (record, payload, *stage)
            }
            Order::Sync => (Record::plain(Record::SYNC), Vec::new(), Stage::Protocol),
            Order::Proceed => (Record::plain(Record::PROCEED), Vec::new(), Stage::Protocol),
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
fn split_keep(sets: [&Option<CapSet>; 3]) -> ([u64; 3], u8) {
    let keep = sets
        .iter()
        .rev()
        .fold(0, |keep, set| keep << 1 | u8::from(set.is_none()));
    (sets.map(|set| set.map_or(0, CapSet::bits)), keep)
}
