use crate::capset::CapSet;

/// A rule of `execve`, in the order the kernel's security/commoncap.c asks them.
///
/// In the formulas P, E, I, B and A are the sets before, primed after; fP, fI and fE are the
/// file's; ruid, euid, fsgid and so on are ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A mount or file system whose files give nothing away.
    UntrustedMount,
    /// `no_new_privs` makes set-id bits void.
    SetIdForbidden,
    /// The setuid bit.
    SetUid,
    /// The setgid bit.
    SetGid,
    /// File capabilities for the root of another user namespace.
    ForeignRootid,
    /// What the file gives.
    FilePermitted,
    /// The program insists on more than it can get.
    Insufficient,
    /// A setuid-root file that also has capabilities: only these count.
    FileCapsOverRoot,
    /// Root gets everything.
    RootPermitted,
    /// And has it effective at once.
    RootEffective,
    /// An id counts as changed.
    IdChanged,
    /// No more than before.
    Downgrade,
    /// Not even other ids.
    DowngradeIds,
    /// The ambient set is lost.
    AmbientCleared,
    /// The ambient set is added to permitted.
    AmbientAdded,
    /// What was gained is effective at once.
    EffectiveRaised,
    /// The program is told to be careful.
    SecureExec,
}

impl Rule {
    /// The rule in one word, lower case. The words are Linx's: capabilities(7) has the rules without names.
    ///
    /// ```
    /// use linx_caps::execve::Rule;
    /// assert_eq!(Rule::FilePermitted.name(), "file_permitted");
    /// ```
    pub const fn name(self) -> &'static str {
        self.words().name
    }

    /// The rule as a formula, in the manner of capabilities(7), "Transformation of capabilities during execve()".
    ///
    /// ```
    /// use linx_caps::execve::Rule;
    /// assert_eq!(Rule::FilePermitted.formula(), "P' = (B & fP) | (I & fI)");
    /// ```
    pub const fn formula(self) -> &'static str {
        self.words().formula
    }

    /// What it means that the rule applied (`fired`), or that it did not: one line in words of what
    /// security/commoncap.c does.
    ///
    /// ```
    /// use linx_caps::execve::Rule;
    /// assert_eq!(Rule::SetUid.meaning(true), "the setuid bit sets the effective uid to the file's owner");
    /// assert_eq!(Rule::SetUid.meaning(false), "no setuid bit applies");
    /// ```
    pub const fn meaning(self, fired: bool) -> &'static str {
        if fired {
            self.words().applied
        } else {
            self.words().not_applied
        }
    }

    #[allow(clippy::indexing_slicing)] // The constant below proves an entry for each rule.
    const fn words(self) -> &'static Words {
        &WORDS[self as usize]
    }
}

/// One rule asked, and the intermediate result after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Whether its condition held.
    pub fired: bool,
    /// P' so far.
    pub permitted: CapSet,
    /// A' so far.
    pub ambient: CapSet,
    /// fE so far: whether permitted will be effective.
    pub effective: bool,
    /// euid' so far.
    pub euid: u32,
    /// egid' so far.
    pub egid: u32,
}

struct Words {
    rule: Rule,
    name: &'static str,
    formula: &'static str,
    applied: &'static str,
    not_applied: &'static str,
}

/// The words of each rule, in the order of the rules.
const WORDS: [Words; Rule::SecureExec as usize + 1] = [
    Words {
        rule: Rule::UntrustedMount,
        name: "untrusted_mount",
        formula: "nosuid or a foreign user namespace: no set-id bits, F = {}",
        applied: "the mount's set-id bits and file capabilities are ignored",
        not_applied: "the mount's set-id bits and file capabilities count",
    },
    Words {
        rule: Rule::SetIdForbidden,
        name: "set_id_forbidden",
        formula: "no_new_privs: no set-id bits",
        applied: "no_new_privs makes the file's set-id bits void",
        not_applied: "nothing makes the file's set-id bits void",
    },
    Words {
        rule: Rule::SetUid,
        name: "set_uid",
        formula: "setuid bit: euid' = owner",
        applied: "the setuid bit sets the effective uid to the file's owner",
        not_applied: "no setuid bit applies",
    },
    Words {
        rule: Rule::SetGid,
        name: "set_gid",
        formula: "setgid and group execute bit: egid' = group",
        applied: "the setgid bit sets the effective gid to the file's group",
        not_applied: "no setgid bit applies",
    },
    Words {
        rule: Rule::ForeignRootid,
        name: "foreign_rootid",
        formula: "rootid != 0: F = {}",
        applied: "the file's capabilities are for another user namespace and are ignored",
        not_applied: "the file has no capabilities for another user namespace",
    },
    Words {
        rule: Rule::FilePermitted,
        name: "file_permitted",
        formula: "P' = (B & fP) | (I & fI)",
        applied: "the file gives what the bounding and inheritable sets let through",
        not_applied: "the file has no capabilities to give",
    },
    Words {
        rule: Rule::Insufficient,
        name: "insufficient",
        formula: "fE and fP not within P': EPERM",
        applied: "the file insists on permitted capabilities it cannot have",
        not_applied: "the file does not insist on what it cannot have",
    },
    Words {
        rule: Rule::FileCapsOverRoot,
        name: "file_caps_over_root",
        formula: "F and ruid != 0 and euid' = 0: no root rule",
        applied: "a setuid-root file with capabilities gives a non-root user only these",
        not_applied: "no file capabilities stand against the root rule",
    },
    Words {
        rule: Rule::RootPermitted,
        name: "root_permitted",
        formula: "not NOROOT and (ruid = 0 or euid' = 0): P' = B | I",
        applied: "root gets all of the bounding and inheritable sets",
        not_applied: "the process does not count as root",
    },
    Words {
        rule: Rule::RootEffective,
        name: "root_effective",
        formula: "not NOROOT and euid' = 0: fE = true",
        applied: "effective uid 0 has its permitted capabilities effective at once",
        not_applied: "the effective uid does not raise the effective set",
    },
    Words {
        rule: Rule::IdChanged,
        name: "id_changed",
        formula: "euid' != euid or egid' not in {fsgid} | groups",
        applied: "an effective id changes",
        not_applied: "no effective id changes",
    },
    Words {
        rule: Rule::Downgrade,
        name: "downgrade",
        formula: "(id changed or P' not within P) and restrained: P' = P' & P",
        applied: "the process may not gain: permitted is cut to what it was",
        not_applied: "nothing cuts permitted to what it was",
    },
    Words {
        rule: Rule::DowngradeIds,
        name: "downgrade_ids",
        formula: "and no_new_privs or no cap_setuid: euid' = ruid, egid' = rgid",
        applied: "the effective ids fall back to the real ones",
        not_applied: "the effective ids stay",
    },
    Words {
        rule: Rule::AmbientCleared,
        name: "ambient_cleared",
        formula: "F or id changed: A' = {}",
        applied: "file capabilities or a changed id clear the ambient set",
        not_applied: "the ambient set is kept",
    },
    Words {
        rule: Rule::AmbientAdded,
        name: "ambient_added",
        formula: "P' = P' | A'",
        applied: "the ambient set is added to permitted",
        not_applied: "there is nothing ambient to add",
    },
    Words {
        rule: Rule::EffectiveRaised,
        name: "effective_raised",
        formula: "E' = P' if fE, else A'",
        applied: "all of permitted is effective",
        not_applied: "only the ambient set is effective",
    },
    Words {
        rule: Rule::SecureExec,
        name: "secure_exec",
        formula: "id changed or euid' != ruid or egid' != rgid or (ruid != 0 and (fE or P' not within A'))",
        applied: "the program runs in secure-execution mode",
        not_applied: "the program runs in the ordinary mode",
    },
];

#[allow(clippy::indexing_slicing)] // Only the compiler runs this.
const _: () = {
    let mut at = 0;
    while at < WORDS.len() {
        assert!(WORDS[at].rule as usize == at);
        at += 1;
    }
};
