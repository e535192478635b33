//! The prediction of execve, and the look at the file it needs.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use linx_caps::execve::{explain, ExecError, Explanation, Finding, Kernel, Outcome, Program, Task};
use linx_caps::securebits::Securebits;
use linx_caps::set::Caps;
use linx_caps::xattr::{self, FileCaps, Revision};
use linx_caps::{CapSet, Ids};
use linx_sys::exec_file::{self, ExecFile};
use rustler::{Atom, Binary, Encoder, Env, NifMap, NifResult, Term};

use crate::process::{four, Bytes, FourIds};
use crate::status::{from_masks, to_masks, Masks};

mod atoms {
    rustler::atoms! {
        error,
        ok,
    }
}

/// `EINVAL`: what the kernel says of an attribute it cannot read.
const INVALID: i32 = 22;

/// Permitted, inheritable, the effective bit, rootid.
type FileSets = (u64, u64, bool, u32);

#[derive(NifMap)]
#[rustler(decode)]
struct TaskTerm {
    state: Masks,
    uid: FourIds,
    gid: FourIds,
    groups: Vec<u32>,
    securebits: u32,
    no_new_privs: bool,
    shared_fs: bool,
    weakly_traced: bool,
}

#[derive(NifMap)]
struct ProgramTerm {
    file_caps: Option<FileSets>,
    owner: u32,
    group: u32,
    mode: u32,
    nosuid: bool,
    foreign_namespace: bool,
}

#[derive(NifMap)]
#[rustler(decode)]
struct KernelTerm {
    version: (u32, u32),
    max_bits: u8,
}

#[derive(NifMap)]
#[rustler(encode)]
struct FindingTerm {
    rule: Atom,
    applied: bool,
    formula: &'static str,
    meaning: &'static str,
    permitted: u64,
    ambient: u64,
    effective: bool,
    euid: u32,
    egid: u32,
}

#[derive(NifMap)]
#[rustler(encode)]
struct OutcomeTerm {
    state: Masks,
    uid: FourIds,
    gid: FourIds,
    securebits: u32,
    secure_exec: bool,
}

/// The rules one by one, and what comes of them: the task after the execve, or the capabilities that the
/// file insists on and cannot have.
#[rustler::nif(schedule = "DirtyCpu")]
fn explain_execve<'a>(
    env: Env<'a>,
    task: TaskTerm,
    program: ProgramTerm,
    kernel: KernelTerm,
) -> NifResult<Term<'a>> {
    let kernel = Kernel {
        version: kernel.version,
        max_bits: kernel.max_bits,
    };
    let Explanation { findings, outcome } = explain(&task.into(), &program.into(), &kernel);
    let findings = findings
        .iter()
        .map(|finding| finding_term(env, finding))
        .collect::<NifResult<Vec<FindingTerm>>>()?;
    let outcome = match outcome {
        Ok(outcome) => (atoms::ok(), outcome_term(&outcome)).encode(env),
        Err(ExecError::Insufficient { missing }) => (atoms::error(), missing.bits()).encode(env),
    };
    Ok((findings, outcome).encode(env))
}

/// The file whose rights count, and the interpreters that led to it.
#[rustler::nif(schedule = "DirtyIo")]
fn exec_file(root: Option<Binary>, path: Binary) -> Result<(ProgramTerm, Vec<Bytes>), i32> {
    let root = root.as_ref().map(to_path);
    let file = exec_file::examine(root, to_path(&path)).map_err(|errno| errno as i32)?;
    program_term(file)
}

/// A triple of effective, permitted and inheritable as a file stores it, with its one effective bit.
#[rustler::nif]
fn file_sets((effective, permitted, inheritable): (u64, u64, u64)) -> Result<FileSets, i32> {
    let caps = Caps {
        effective: CapSet::from_bits(effective),
        permitted: CapSet::from_bits(permitted),
        inheritable: CapSet::from_bits(inheritable),
        ..Caps::new()
    };
    FileCaps::from_caps(&caps)
        .map(|file| sets_of(&file))
        .map_err(|_| INVALID)
}

impl From<TaskTerm> for Task {
    fn from(term: TaskTerm) -> Task {
        Task {
            state: from_masks(term.state),
            uid: ids(term.uid),
            gid: ids(term.gid),
            groups: term.groups,
            securebits: Securebits::from_bits(term.securebits),
            no_new_privs: term.no_new_privs,
            shared_fs: term.shared_fs,
            weakly_traced: term.weakly_traced,
        }
    }
}

impl From<ProgramTerm> for Program {
    fn from(term: ProgramTerm) -> Program {
        let file_caps = |(permitted, inheritable, effective, rootid)| FileCaps {
            revision: Revision::V3,
            permitted: CapSet::from_bits(permitted),
            inheritable: CapSet::from_bits(inheritable),
            effective,
            rootid,
        };
        Program {
            file_caps: term.file_caps.map(file_caps),
            owner: term.owner,
            group: term.group,
            mode: term.mode,
            nosuid: term.nosuid,
            foreign_namespace: term.foreign_namespace,
        }
    }
}

/// A rule's name is one of the model's own, so its atom is of no one else's making.
fn finding_term(env: Env<'_>, finding: &Finding) -> NifResult<FindingTerm> {
    let Finding { rule, fired, .. } = *finding;
    Ok(FindingTerm {
        rule: Atom::from_str(env, rule.name())?,
        applied: fired,
        formula: rule.formula(),
        meaning: rule.meaning(fired),
        permitted: finding.permitted.bits(),
        ambient: finding.ambient.bits(),
        effective: finding.effective,
        euid: finding.euid,
        egid: finding.egid,
    })
}

fn outcome_term(outcome: &Outcome) -> OutcomeTerm {
    OutcomeTerm {
        state: to_masks(outcome.state),
        uid: four(outcome.uid),
        gid: four(outcome.gid),
        securebits: outcome.securebits.bits(),
        secure_exec: outcome.secure_exec,
    }
}

fn program_term(file: ExecFile) -> Result<(ProgramTerm, Vec<Bytes>), i32> {
    let file_caps = file.capability.as_deref().map(xattr::decode).transpose();
    let program = ProgramTerm {
        file_caps: file_caps.map_err(|_| INVALID)?.as_ref().map(sets_of),
        owner: file.owner,
        group: file.group,
        mode: file.mode,
        nosuid: file.nosuid,
        foreign_namespace: false,
    };
    let interpreters = file.interpreters.into_iter().map(Bytes).collect();
    Ok((program, interpreters))
}

fn sets_of(file: &FileCaps) -> FileSets {
    let (permitted, inheritable) = (file.permitted.bits(), file.inheritable.bits());
    (permitted, inheritable, file.effective, file.rootid)
}

fn ids((real, effective, saved, fs): FourIds) -> Ids {
    Ids {
        real,
        effective,
        saved,
        fs,
    }
}

fn to_path<'a>(bytes: &'a Binary) -> &'a Path {
    Path::new(OsStr::from_bytes(bytes.as_slice()))
}
