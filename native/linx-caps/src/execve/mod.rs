//! What `execve` does to a thread's capabilities, predicted (capabilities(7), "Transformation of
//! capabilities during execve()"; `cap_bprm_creds_from_file` in the kernel's
//! security/commoncap.c and `bprm_fill_uid` in fs/exec.c).
//!
//! Where the manual page and the kernel disagree, the kernel is followed. Ids are those the task
//! sees in its own user namespace, so uid 0 is that namespace's root.

mod rule;
mod transform;

pub use rule::{Finding, Rule};

use thiserror::Error;

use crate::capset::CapSet;
use crate::ids::Ids;
use crate::securebits::Securebits;
use crate::state::State;
use crate::xattr::FileCaps;

/// The thread that calls `execve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its five sets.
    pub state: State,
    /// Its user ids.
    pub uid: Ids,
    /// Its group ids.
    pub gid: Ids,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
    /// Its secure bits.
    pub securebits: Securebits,
    /// Whether it has given up gaining privilege (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: bool,
    /// Whether it shares its root and working directory with another process (`CLONE_FS`).
    pub shared_fs: bool,
    /// Whether it is traced by a process without `cap_sys_ptrace` over its user namespace.
    pub weakly_traced: bool,
}

/// The file that is executed: of a script, the interpreter at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its capabilities, as a process in the task's user namespace reads them; `None` if there is
    /// no attribute.
    pub file_caps: Option<FileCaps>,
    /// The uid that owns it.
    pub owner: u32,
    /// The gid that owns it.
    pub group: u32,
    /// Its mode; the set-id bits (`04000`, `02000`) and the group's execute bit count.
    pub mode: u32,
    /// Whether its mount is `nosuid`.
    pub nosuid: bool,
    /// Whether its file system belongs to a user namespace that is neither the task's nor an
    /// ancestor of it.
    pub foreign_namespace: bool,
}

/// The kernel that executes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Major and minor version. Linux 6.16 changed when an id counts as changed.
    pub version: (u32, u32),
    /// How many capabilities it has.
    pub max_bits: u8,
}

/// The thread after a successful `execve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Its five sets.
    pub state: State,
    /// Its user ids.
    pub uid: Ids,
    /// Its group ids.
    pub gid: Ids,
    /// Its secure bits.
    pub securebits: Securebits,
    /// Whether the program is told to be careful (`AT_SECURE` in getauxval(3)).
    pub secure_exec: bool,
}

/// Why the capability rules refuse an `execve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExecError {
    /// The file's effective bit is set, and the bounding set withholds some of its permitted
    /// capabilities: `EPERM`, for root too.
    #[error("the program insists on capabilities the process cannot have")]
    Insufficient {
        /// The withheld capabilities.
        missing: CapSet,
    },
}

/// A prediction and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Every rule in the order the kernel asks it, with what it did.
    pub findings: Vec<Finding>,
    /// What comes of it.
    pub outcome: Result<Outcome, ExecError>,
}

/// The state of a thread after it executes a program (`capabilities(7)`).
///
/// # Errors
/// [`ExecError::Insufficient`] where the kernel answers `EPERM`. Other reasons for `execve` to
/// fail (no such file, no execute permission, …) are not judged.
///
/// ```
/// use linx_caps::execve::{predict, Kernel, Program, Task};
/// use linx_caps::{securebits::Securebits, CapSet, Ids, State};
/// let some = CapSet::single(10);
/// let task = Task {
///     state: State { inheritable: some, permitted: some, bounding: some, ambient: some, ..State::default() },
///     uid: Ids::all(33),
///     gid: Ids::all(33),
///     groups: vec![],
///     securebits: Securebits::NONE,
///     no_new_privs: false,
///     shared_fs: false,
///     weakly_traced: false,
/// };
/// let program = Program {
///     file_caps: None,
///     owner: 0,
///     group: 0,
///     mode: 0o755,
///     nosuid: false,
///     foreign_namespace: false,
/// };
/// let kernel = Kernel { version: (6, 18), max_bits: 41 };
/// let after = predict(&task, &program, &kernel)?;
/// assert_eq!(after.state.effective, some);
///
/// let setuid_root = Program { mode: 0o4755, ..program };
/// let after = predict(&task, &setuid_root, &kernel)?;
/// assert_eq!((after.uid.effective, after.state.ambient), (0, CapSet::EMPTY));
/// # Ok::<(), linx_caps::execve::ExecError>(())
/// ```
pub fn predict(task: &Task, program: &Program, kernel: &Kernel) -> Result<Outcome, ExecError> {
    explain(task, program, kernel).outcome
}

/// The same prediction, rule by rule, in the order of the kernel's security/commoncap.c.
///
/// ```
/// use linx_caps::execve::{explain, Kernel, Program, Rule, Task};
/// use linx_caps::{securebits::Securebits, CapSet, Ids, State};
/// let root = Task {
///     state: State { bounding: CapSet::below(41), ..State::default() },
///     uid: Ids::all(0),
///     gid: Ids::all(0),
///     groups: vec![],
///     securebits: Securebits::NONE,
///     no_new_privs: false,
///     shared_fs: false,
///     weakly_traced: false,
/// };
/// let program = Program {
///     file_caps: None,
///     owner: 0,
///     group: 0,
///     mode: 0o755,
///     nosuid: false,
///     foreign_namespace: false,
/// };
/// let explanation = explain(&root, &program, &Kernel { version: (6, 18), max_bits: 41 });
/// let root_rule = explanation.findings.iter().find(|finding| finding.rule == Rule::RootPermitted);
/// assert!(root_rule.is_some_and(|finding| finding.fired));
/// ```
pub fn explain(task: &Task, program: &Program, kernel: &Kernel) -> Explanation {
    transform::run(task, program, kernel)
}

#[cfg(test)]
mod tests;
