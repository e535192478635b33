//! What a child does, one operation at a time.
//!
//! The parent prepares [`Op`]s; the child executes them with raw system calls and nothing else. The
//! same operations come from two places: prepared in memory ([`super::Plan`]) and, while the child is
//! parked, as [`Record`]s over its control socket.

use std::ffi::{c_char, c_int};

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
    SetGroups {
        gid: u32,
        groups: *const u32,
        count: usize,
    },
    SetUid(u32),
    /// Answer with [`Report::SYNCED`].
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
    pub const SET_GROUPS: u32 = 4;
    pub const SET_UID: u32 = 5;
    pub const SYNC: u32 = 6;
    pub const PROCEED: u32 = 7;
    pub const SIZE: usize = size_of::<Record>();
}

/// What a child says to its parent.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Report {
    pub kind: u32,
    pub stage: u32,
    pub errno: i32,
    pub pid: i32,
}

impl Report {
    pub const FORKED: u32 = 1;
    pub const READY: u32 = 2;
    pub const FAILED: u32 = 3;
    pub const SYNCED: u32 = 4;
    pub const SIZE: usize = size_of::<Report>();
}

/// A verb of the checkpoint, and what else may be told a parked child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `prctl(PR_CAPBSET_DROP)` for each bit of the mask.
    DropBounding(u64),
    /// `capset(2)`: effective, permitted, inheritable; `None` leaves that set as it is.
    SetThreadSets([Option<u64>; 3]),
    /// `PR_CAP_AMBIENT_CLEAR_ALL`, then `PR_CAP_AMBIENT_RAISE` for each bit.
    SetAmbient(u64),
    /// `setgroups(2)` and `setresgid(2)`.
    SetGroups {
        /// Real, effective and saved group id.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// `setresuid(2)` with the permitted set kept.
    SetUid(u32),
    /// Ask for a sign that all before it has been applied.
    Sync,
    /// Leave the checkpoint for exec.
    Proceed,
}

/// Most supplementary groups a process can have (`NGROUPS_MAX`, `getgroups(2)`).
pub const MAX_GROUPS: usize = 65_536;

impl Verb {
    /// The stage that a refusal of this verb names.
    pub fn stage(&self) -> Stage {
        match self {
            Verb::DropBounding(_) => Stage::DropBounding,
            Verb::SetThreadSets(_) => Stage::SetThreadSets,
            Verb::SetAmbient(_) => Stage::SetAmbient,
            Verb::SetGroups { .. } => Stage::SetGroups,
            Verb::SetUid(_) => Stage::SetUid,
            Verb::Sync | Verb::Proceed => Stage::Protocol,
        }
    }

    /// The verb as an operation whose pointers lead into `self`.
    pub(super) fn as_op(&self) -> Op {
        match self {
            Verb::DropBounding(mask) => Op::DropBounding(*mask),
            Verb::SetThreadSets(sets) => {
                let (sets, keep) = split_keep(sets);
                Op::SetThreadSets { sets, keep }
            }
            Verb::SetAmbient(mask) => Op::SetAmbient(*mask),
            Verb::SetGroups { gid, groups } => Op::SetGroups {
                gid: *gid,
                groups: groups.as_ptr(),
                count: groups.len(),
            },
            Verb::SetUid(uid) => Op::SetUid(*uid),
            Verb::Sync => Op::Sync,
            Verb::Proceed => Op::Proceed,
        }
    }

    /// The verb as the bytes of a record and its payload.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (code, small, args, payload): (u32, u32, [u64; 3], &[u32]) = match self {
            Verb::DropBounding(mask) => (Record::DROP_BOUNDING, 0, [*mask, 0, 0], &[]),
            Verb::SetThreadSets(sets) => {
                let (sets, keep) = split_keep(sets);
                (Record::SET_THREAD_SETS, u32::from(keep), sets, &[])
            }
            Verb::SetAmbient(mask) => (Record::SET_AMBIENT, 0, [*mask, 0, 0], &[]),
            Verb::SetGroups { gid, groups } => (Record::SET_GROUPS, *gid, [0; 3], groups),
            Verb::SetUid(uid) => (Record::SET_UID, *uid, [0; 3], &[]),
            Verb::Sync => (Record::SYNC, 0, [0; 3], &[]),
            Verb::Proceed => (Record::PROCEED, 0, [0; 3], &[]),
        };
        let len = size_of_val(payload) as u32;
        let mut bytes = Vec::with_capacity(Record::SIZE + len as usize);
        for word in [code, self.stage().code(), len, small] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        args.iter()
            .for_each(|arg| bytes.extend_from_slice(&arg.to_ne_bytes()));
        payload
            .iter()
            .for_each(|gid| bytes.extend_from_slice(&gid.to_ne_bytes()));
        bytes
    }
}

/// The masks, and which of the three are to stay as they are (bit 0: effective, 1: permitted, 2: inheritable).
fn split_keep(sets: &[Option<u64>; 3]) -> ([u64; 3], u8) {
    let keep = (0..3)
        .filter(|&i| sets[i].is_none())
        .fold(0, |keep, i| keep | 1 << i);
    (sets.map(|set| set.unwrap_or(0)), keep)
}
