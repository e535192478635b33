//! What is asked of a child, and the same laid out for it to run.

use std::ffi::{c_char, c_int, CString};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::null;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use linx_caps::plan::Step;
use linx_caps::CapSet;
use nix::errno::Errno;

use super::block::Block;
use super::fate::Fate;
use super::memory::Slab;
use super::op::{as_op, Exec, Instruction, Op};
use super::slots::{self, Loan, Slots};
use super::stage::{Namespace, Stage};

/// Where one of the child's standard descriptors comes from.
#[derive(Debug)]
pub enum Source {
    /// The parent's own descriptor of that number.
    Inherit,
    /// An open descriptor.
    Fd(OwnedFd),
    /// A file the child opens, with these `open(2)` flags and mode 0644.
    Open(CString, c_int),
    /// The same as this one of the child's standard descriptors, which comes before it.
    Same(c_int),
}

/// Everything about a child before it exists.
#[derive(Debug)]
pub struct Plan {
    /// The program's arguments, its name first.
    pub argv: Vec<CString>,
    /// The whole environment, `NAME=value` each.
    pub env: Arc<[CString]>,
    /// Paths to try, in order.
    pub paths: Vec<CString>,
    /// Working directory, entered just before exec.
    pub cwd: Option<CString>,
    /// stdin, stdout, stderr.
    pub stdio: [Source; 3],
    /// Descriptor 0 is a terminal, to become the controlling one.
    pub terminal: bool,
    /// Applied in order before the child reports that it is ready.
    pub steps: Vec<(Step, Stage)>,
    /// Exec without waiting at the checkpoint, where [`super::Child::waits`] does not say otherwise.
    pub auto_proceed: bool,
    /// Set `no_new_privs` just before exec.
    pub no_new_privs: bool,
    /// The workload is killed by the kernel if the parent dies.
    pub dies_with_parent: bool,
    /// Descendants whose parents end stay below the child.
    pub subreaper: bool,
    /// Fresh namespaces.
    pub fresh: Vec<Namespace>,
    /// Namespaces to join, in this order.
    pub join: Vec<(Namespace, OwnedFd)>,
    /// The parked child may be inspected, and its id maps written, by its own user.
    pub dumpable: bool,
    /// Give the child this limit of descriptors.
    pub file_limit: Option<libc::rlimit64>,
}

impl Plan {
    /// Whether the child may share its parent's memory until exec. One that changes namespaces may not: joining some of
    /// them is refused to a process that shares memory.
    pub(super) fn may_share_memory(&self) -> bool {
        self.fresh.is_empty() && self.join.is_empty() && !self.dumpable
    }

    pub(super) fn clone_flags(&self) -> u64 {
        self.fresh.iter().fold(0, |flags, ns| flags | ns.flag())
    }
}

/// How the child comes by its descriptors.
pub(super) enum Table<'a> {
    /// A copy of the parent's table: numbers as they are.
    Copied,
    /// The parent's own table until it leaves it: numbers in a bank.
    Shared(&'a mut Slots, Loan),
}

impl Table<'_> {
    fn number(&mut self, fd: RawFd) -> Result<RawFd, Errno> {
        match self {
            Table::Copied => Ok(fd),
            Table::Shared(slots, bank) => slots.put(*bank, fd),
        }
    }
}

/// A plan laid out in memory for the child: it points into itself, so its parts never move (they are
/// boxed) and it lives until the child has exec'd or is gone.
pub(super) struct Image {
    pub block: Box<Block>,
    pub slab: Slab,
    fate: Option<Box<Fate>>,
    _before: Box<[Instruction]>,
    _after: Box<[Instruction]>,
    _exec: Box<Exec>,
    _vectors: [Box<[*const c_char]>; 3],
    plan: Box<Plan>,
}

impl Image {
    /// Lays `plan` out. `control` is the child's end of the control socket; `shared` says that the child shares this memory.
    pub(super) fn new(
        plan: Plan,
        control: &OwnedFd,
        mut table: Table<'_>,
        slab: Slab,
        shared: bool,
    ) -> Result<Self, Errno> {
        let plan = Box::new(plan);
        let vectors: [&[CString]; 3] = [&plan.paths, &plan.argv, &plan.env];
        let vectors = vectors.map(pointers);
        let [paths, argv, envp] = [0, 1, 2].map(|i: usize| vectors[i].as_ptr());
        let exec = Box::new(Exec { paths, argv, envp });
        let control = table.number(control.as_raw_fd())?;
        let stdio = stdio_steps(&plan, &mut table)?;
        let before = before_ready(&plan, control, &table, stdio);
        let after = after_proceed(&plan, &exec);
        let (scratch, scratch_len) = slab.scratch();
        let unshared: *const AtomicBool = match &table {
            Table::Copied => null(),
            Table::Shared(slots, bank) => slots.flag(*bank),
        };
        let fate = (plan.auto_proceed && shared).then(|| Box::new(Fate::open()));
        let block = Box::new(Block {
            control,
            before_ready: before.as_ptr(),
            before_ready_len: before.len(),
            after_proceed: after.as_ptr(),
            after_proceed_len: after.len(),
            fate: fate.as_deref().map_or(null(), std::ptr::from_ref),
            unshared,
            scratch,
            scratch_len,
            effective: CapSet::EMPTY,
        });
        let (_before, _after, _exec, _vectors) = (before, after, exec, vectors);
        Ok(Image {
            block,
            slab,
            fate,
            _before,
            _after,
            _exec,
            _vectors,
            plan,
        })
    }

    /// Closes the parent's descriptors that were for the child alone, once it has its own.
    pub(super) fn close_sources(&mut self) {
        self.plan.join.clear();
        for source in &mut self.plan.stdio {
            // Only these: the path of a file to open is still read by the child.
            if let Source::Fd(_) = source {
                *source = Source::Inherit;
            }
        }
    }

    /// Present if the child is to exec by itself.
    pub(super) fn fate(&self) -> Option<&Fate> {
        self.fate.as_deref()
    }

    /// The memory, for another child.
    pub(super) fn into_slab(self) -> Slab {
        self.slab
    }
}

fn pointers(strings: &[CString]) -> Box<[*const c_char]> {
    strings.iter().map(|s| s.as_ptr()).chain([null()]).collect()
}

/// The steps from the clone to the report that the child is ready, in the order that works.
fn before_ready(
    plan: &Plan,
    control: RawFd,
    table: &Table<'_>,
    stdio: Vec<Instruction>,
) -> Box<[Instruction]> {
    let clone = |op| Instruction::new(Stage::Clone, op);
    let mut steps = Vec::with_capacity(16 + plan.steps.len());
    steps.extend(close_others(plan, control, table));
    steps.push(clone(Op::DeathSignal(libc::SIGKILL)));
    steps.push(clone(Op::UnblockSignals));
    if let Some(limit) = plan.file_limit {
        steps.push(clone(Op::FileLimit(limit)));
    }
    for (ns, fd) in &plan.join {
        let op = Op::SetNs {
            fd: fd.as_raw_fd(),
            flag: ns.flag() as c_int,
        };
        steps.push(Instruction::new(Stage::SetNs(*ns), op));
    }
    let joins = |kind| plan.join.iter().any(|(ns, _)| *ns == kind);
    if joins(Namespace::User) {
        steps.push(Instruction::new(
            Stage::SetNs(Namespace::User),
            Op::NamespaceRoot,
        ));
    }
    if joins(Namespace::Pid) {
        steps.push(clone(Op::ForkAgain));
    }
    if plan.dumpable {
        steps.push(clone(Op::Dumpable));
    }
    steps.push(clone(Op::Setsid));
    if plan.subreaper {
        steps.push(clone(Op::Subreaper));
    }
    steps.extend(stdio);
    if plan.terminal {
        steps.push(Instruction::new(Stage::Pty, Op::ControllingTerminal));
    }
    steps.extend(
        plan.steps
            .iter()
            .map(|(step, stage)| Instruction::new(*stage, as_op(step))),
    );
    steps.into_boxed_slice()
}

/// The steps from the checkpoint to exec.
fn after_proceed(plan: &Plan, exec: &Exec) -> Box<[Instruction]> {
    let mut steps = Vec::with_capacity(4);
    if let Some(cwd) = &plan.cwd {
        steps.push(Instruction::new(Stage::Chdir, Op::Chdir(cwd.as_ptr())));
    }
    if plan.no_new_privs {
        steps.push(Instruction::new(Stage::NoNewPrivs, Op::NoNewPrivs));
    }
    // Again, since a change of ids has cleared it.
    let signal = if plan.dies_with_parent {
        libc::SIGKILL
    } else {
        0
    };
    steps.push(Instruction::new(Stage::Clone, Op::DeathSignal(signal)));
    steps.push(Instruction::new(Stage::Execve, Op::Exec(exec)));
    steps.into_boxed_slice()
}

/// Closes every descriptor but 0, 1, 2 and the child's own few, which close themselves at exec.
fn close_others(plan: &Plan, control: RawFd, table: &Table<'_>) -> Vec<Instruction> {
    let close =
        |first, last, flags| Instruction::new(Stage::Clone, Op::CloseRange(first, last, flags));
    match table {
        Table::Shared(slots, bank) => {
            let (first, last) = slots.range(*bank);
            let mut steps = vec![close(slots::END, u32::MAX, libc::CLOSE_RANGE_UNSHARE)];
            steps.push(Instruction::new(Stage::Clone, Op::MarkUnshared));
            steps.push(close(3, first - 1, 0));
            if last + 1 < slots::END {
                steps.push(close(last + 1, slots::END - 1, 0));
            }
            steps
        }
        Table::Copied => {
            let joined = plan.join.iter().map(|(_, fd)| fd.as_raw_fd());
            let sources = plan.stdio.iter().filter_map(|source| match source {
                Source::Fd(fd) => Some(fd.as_raw_fd()),
                _ => None,
            });
            let mut keep: Vec<u32> = joined
                .chain(sources)
                .chain([control])
                .map(|fd| fd as u32)
                .collect();
            keep.sort_unstable();
            let mut next = 3;
            let mut steps = Vec::with_capacity(keep.len() + 1);
            for fd in keep.into_iter().filter(|fd| *fd >= 3) {
                if next < fd {
                    steps.push(close(next, fd - 1, 0));
                }
                next = fd + 1;
            }
            steps.push(close(next, u32::MAX, 0));
            steps
        }
    }
}

fn stdio_steps(plan: &Plan, table: &mut Table<'_>) -> Result<Vec<Instruction>, Errno> {
    let mut steps = Vec::with_capacity(3);
    for (to, source) in (0..).zip(&plan.stdio) {
        let op = match source {
            Source::Inherit => continue,
            Source::Fd(fd) => Op::Dup(table.number(fd.as_raw_fd())?, to),
            Source::Open(path, flags) => Op::Open {
                path: path.as_ptr(),
                flags: *flags,
                to,
            },
            Source::Same(from) => Op::Dup(*from, to),
        };
        steps.push(Instruction::new(Stage::Stdio, op));
    }
    Ok(steps)
}
