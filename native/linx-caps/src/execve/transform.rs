//! The rules themselves, each a method named after the [`Rule`]s it asks.

use super::rule::{Finding, Rule};
use super::{ExecError, Explanation, Kernel, Outcome, Program, Task};
use crate::cap::Cap;
use crate::capset::CapSet;
use crate::ids::Ids;
use crate::securebits::Securebits;
use crate::state::State;
use crate::xattr::FileCaps;

const SETUID_BIT: u32 = 0o4000;
const SETGID_BIT: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;

/// The first kernel that compares effective ids with the old effective ones.
const NEW_ID_RULE: (u32, u32) = (6, 16);

pub(super) fn run(task: &Task, program: &Program, kernel: &Kernel) -> Explanation {
    let mut exec = Exec {
        task,
        program,
        kernel,
        file_caps: None,
        permitted: CapSet::EMPTY,
        ambient: task.state.ambient,
        effective: false,
        euid: task.uid.effective,
        egid: task.gid.effective,
        findings: Vec::new(),
    };
    let outcome = exec.all_rules();
    Explanation {
        findings: exec.findings,
        outcome,
    }
}

struct Exec<'a> {
    task: &'a Task,
    program: &'a Program,
    kernel: &'a Kernel,
    file_caps: Option<FileCaps>,
    permitted: CapSet,
    ambient: CapSet,
    effective: bool,
    euid: u32,
    egid: u32,
    findings: Vec<Finding>,
}

impl Exec<'_> {
    fn all_rules(&mut self) -> Result<Outcome, ExecError> {
        let trusted = !self.program.nosuid && !self.program.foreign_namespace;
        self.found(Rule::UntrustedMount, !trusted);
        self.set_ids(trusted);
        self.file_caps(trusted);
        self.insufficient()?;
        self.root();
        let id_changed = self.id_changed();
        self.downgrade(id_changed);
        self.ambient(id_changed);
        self.found(Rule::EffectiveRaised, self.effective);
        let secure_exec = self.secure_exec(id_changed);
        Ok(self.outcome(secure_exec))
    }

    fn found(&mut self, rule: Rule, fired: bool) {
        self.findings.push(Finding {
            rule,
            fired,
            permitted: self.permitted,
            ambient: self.ambient,
            effective: self.effective,
            euid: self.euid,
            egid: self.egid,
        });
    }

    fn set_ids(&mut self, trusted: bool) {
        let mode = self.program.mode;
        let setuid = trusted && mode & SETUID_BIT != 0;
        let both = SETGID_BIT | GROUP_EXECUTE;
        let setgid = trusted && mode & both == both;
        let forbidden = self.task.no_new_privs && (setuid || setgid);
        self.found(Rule::SetIdForbidden, forbidden);
        if setuid && !forbidden {
            self.euid = self.program.owner;
        }
        self.found(Rule::SetUid, setuid && !forbidden);
        if setgid && !forbidden {
            self.egid = self.program.group;
        }
        self.found(Rule::SetGid, setgid && !forbidden);
    }

    fn file_caps(&mut self, trusted: bool) {
        let present = self.program.file_caps.filter(|_| trusted);
        self.file_caps = present.filter(|caps| caps.rootid == 0);
        self.found(Rule::ForeignRootid, present != self.file_caps);
        if let Some(caps) = self.file_caps {
            let State {
                bounding,
                inheritable,
                ..
            } = self.task.state;
            let forced = bounding.intersection(self.known(caps.permitted));
            self.permitted = forced.union(inheritable.intersection(caps.inheritable));
            self.effective = caps.effective;
        }
        self.found(Rule::FilePermitted, self.file_caps.is_some());
    }

    /// The kernel drops bits it has no capability for before it looks at a file's sets.
    fn known(&self, set: CapSet) -> CapSet {
        set.intersection(CapSet::below(self.kernel.max_bits))
    }

    fn insufficient(&mut self) -> Result<(), ExecError> {
        let forced = self
            .file_caps
            .filter(|caps| caps.effective)
            .map_or(CapSet::EMPTY, |caps| self.known(caps.permitted));
        let missing = forced.difference(self.permitted);
        self.found(Rule::Insufficient, !missing.is_empty());
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ExecError::Insufficient { missing })
        }
    }

    fn root(&mut self) {
        let securebits = self.task.securebits;
        let real = securebits.is_root(self.task.uid.real);
        let effective = securebits.is_root(self.euid);
        let outranked = self.file_caps.is_some() && effective && !real;
        self.found(Rule::FileCapsOverRoot, outranked);
        let permitted = (real || effective) && !outranked;
        if permitted {
            self.permitted = self.task.state.bounding.union(self.task.state.inheritable);
        }
        self.found(Rule::RootPermitted, permitted);
        let effective = effective && !outranked;
        self.effective |= effective;
        self.found(Rule::RootEffective, effective);
    }

    fn id_changed(&mut self) -> bool {
        let changed = if self.kernel.version >= NEW_ID_RULE {
            let member = self.egid == self.task.gid.fs || self.task.groups.contains(&self.egid);
            self.euid != self.task.uid.effective || !member
        } else {
            self.euid != self.task.uid.real || self.egid != self.task.gid.real
        };
        self.found(Rule::IdChanged, changed);
        changed
    }

    fn downgrade(&mut self, id_changed: bool) {
        let task = self.task;
        let gains = id_changed || !self.permitted.is_subset(task.state.permitted);
        let restrained = task.no_new_privs || task.shared_fs || task.weakly_traced;
        let downgraded = gains && restrained;
        if downgraded {
            self.permitted = self.permitted.intersection(task.state.permitted);
        }
        self.found(Rule::Downgrade, downgraded);
        let setuid = task.state.effective.contains(Cap::SETUID);
        let ids_too = downgraded && (task.no_new_privs || !setuid);
        if ids_too {
            self.euid = task.uid.real;
            self.egid = task.gid.real;
        }
        self.found(Rule::DowngradeIds, ids_too);
    }

    fn ambient(&mut self, id_changed: bool) {
        let cleared = self.file_caps.is_some() || id_changed;
        if cleared {
            self.ambient = CapSet::EMPTY;
        }
        self.found(Rule::AmbientCleared, cleared);
        self.permitted = self.permitted.union(self.ambient);
        self.found(Rule::AmbientAdded, !self.ambient.is_empty());
    }

    fn secure_exec(&mut self, id_changed: bool) -> bool {
        let (uid, gid) = (self.task.uid.real, self.task.gid.real);
        let grew = self.effective || !self.permitted.is_subset(self.ambient);
        let secure = id_changed || self.euid != uid || self.egid != gid || (uid != 0 && grew);
        self.found(Rule::SecureExec, secure);
        secure
    }

    fn outcome(&self, secure_exec: bool) -> Outcome {
        let effective = if self.effective {
            self.permitted
        } else {
            self.ambient
        };
        let ids = |real, effective| Ids {
            real,
            ..Ids::all(effective)
        };
        Outcome {
            state: State {
                permitted: self.permitted,
                effective,
                ambient: self.ambient,
                ..self.task.state
            },
            uid: ids(self.task.uid.real, self.euid),
            gid: ids(self.task.gid.real, self.egid),
            securebits: self.task.securebits.difference(Securebits::KEEP_CAPS),
            secure_exec,
        }
    }
}
