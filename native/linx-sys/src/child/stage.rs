//! Where a launch can fail.

/// The step of a launch that failed. Its [`name`](Stage::name) is what users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stage {
    Clone,
    Stdio,
    ConnectUnix,
    Pty,
    OpenNs(Namespace),
    SetNs(Namespace),
    Chdir,
    NoNewPrivs,
    Execve,
    DropBounding,
    SetThreadSets,
    SetAmbient,
    SetGroups,
    SetUid,
    RaiseAmbient,
    DropAmbient,
    KeepOnly,
    SetSecurebits,
    SetMode,
    SetIab,
    Chroot,
    Protocol,
}

/// A kind of namespace, see `namespaces(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Namespace {
    User,
    Mount,
    Pid,
    Net,
    Uts,
    Ipc,
    Cgroup,
    Time,
}

impl Namespace {
    /// Every kind, in the order in which they are joined: the user namespace first, since it
    /// may give the right to join the others (as `nsenter(1)` does).
    pub const ALL: [Namespace; 8] = [
        Namespace::User,
        Namespace::Cgroup,
        Namespace::Ipc,
        Namespace::Uts,
        Namespace::Net,
        Namespace::Pid,
        Namespace::Mount,
        Namespace::Time,
    ];

    /// The `CLONE_NEW*` flag, as `clone(2)` and `setns(2)` take it.
    pub(super) fn flag(self) -> u64 {
        let flag = match self {
            Namespace::User => libc::CLONE_NEWUSER,
            Namespace::Mount => libc::CLONE_NEWNS,
            Namespace::Pid => libc::CLONE_NEWPID,
            Namespace::Net => libc::CLONE_NEWNET,
            Namespace::Uts => libc::CLONE_NEWUTS,
            Namespace::Ipc => libc::CLONE_NEWIPC,
            Namespace::Cgroup => libc::CLONE_NEWCGROUP,
            Namespace::Time => libc::CLONE_NEWTIME,
        };
        flag as u64
    }

    /// The name below `/proc/PID/ns` (`namespaces(7)`).
    pub(crate) fn file(self) -> &'static str {
        match self {
            Namespace::Mount => "mnt",
            other => other.name(),
        }
    }

    /// The name that users know it by: that of the kind in `namespaces(7)`, in lower case.
    ///
    /// ```
    /// use linx_sys::child::Namespace;
    /// assert_eq!(Namespace::Mount.name(), "mount");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Namespace::User => "user",
            Namespace::Mount => "mount",
            Namespace::Pid => "pid",
            Namespace::Net => "net",
            Namespace::Uts => "uts",
            Namespace::Ipc => "ipc",
            Namespace::Cgroup => "cgroup",
            Namespace::Time => "time",
        }
    }
}

impl Stage {
    const PLAIN: [Stage; 20] = [
        Stage::Clone,
        Stage::Stdio,
        Stage::ConnectUnix,
        Stage::Pty,
        Stage::Chdir,
        Stage::NoNewPrivs,
        Stage::Execve,
        Stage::DropBounding,
        Stage::SetThreadSets,
        Stage::SetAmbient,
        Stage::SetGroups,
        Stage::SetUid,
        Stage::RaiseAmbient,
        Stage::DropAmbient,
        Stage::KeepOnly,
        Stage::SetSecurebits,
        Stage::SetMode,
        Stage::SetIab,
        Stage::Chroot,
        Stage::Protocol,
    ];

    fn all() -> impl Iterator<Item = Stage> {
        let namespaced = Namespace::ALL.into_iter();
        Self::PLAIN
            .into_iter()
            .chain(namespaced.flat_map(|ns| [Stage::OpenNs(ns), Stage::SetNs(ns)]))
    }

    /// The number that stands for the stage between child and parent.
    pub(super) fn code(self) -> u32 {
        let position = Self::all().position(|stage| stage == self);
        position
            .and_then(|p| u32::try_from(p).ok())
            .unwrap_or(u32::MAX)
    }

    /// The stage a child's number stands for; a number it cannot have sent is a protocol failure.
    pub(super) fn from_code(code: u32) -> Stage {
        Self::all().nth(code as usize).unwrap_or(Stage::Protocol)
    }

    /// The stage as an atom's text, as docs/PROTOCOL.md lists them.
    ///
    /// ```
    /// use linx_sys::child::{Namespace, Stage};
    /// assert_eq!(Stage::DropBounding.name(), "cap_drop_bounding");
    /// assert_eq!(Stage::SetNs(Namespace::Net).name(), "setns_net");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Stage::Clone => "clone",
            Stage::Stdio => "stdio",
            Stage::ConnectUnix => "connect_unix",
            Stage::Pty => "pty",
            Stage::OpenNs(ns) => open_ns_name(ns),
            Stage::SetNs(ns) => setns_name(ns),
            Stage::Chdir => "chdir",
            Stage::NoNewPrivs => "no_new_privs",
            Stage::Execve => "execve",
            Stage::DropBounding => "cap_drop_bounding",
            Stage::SetThreadSets => "cap_set_thread",
            Stage::SetAmbient => "cap_set_ambient",
            Stage::SetGroups => "set_groups",
            Stage::SetUid => "set_uid",
            Stage::RaiseAmbient => "cap_raise_ambient",
            Stage::DropAmbient => "cap_drop_ambient",
            Stage::KeepOnly => "keep_only",
            Stage::SetSecurebits => "set_securebits",
            Stage::SetMode => "set_mode",
            Stage::SetIab => "set_iab",
            Stage::Chroot => "chroot",
            Stage::Protocol => "protocol",
        }
    }
}

fn open_ns_name(ns: Namespace) -> &'static str {
    match ns {
        Namespace::User => "open_ns_user",
        Namespace::Mount => "open_ns_mount",
        Namespace::Pid => "open_ns_pid",
        Namespace::Net => "open_ns_net",
        Namespace::Uts => "open_ns_uts",
        Namespace::Ipc => "open_ns_ipc",
        Namespace::Cgroup => "open_ns_cgroup",
        Namespace::Time => "open_ns_time",
    }
}

fn setns_name(ns: Namespace) -> &'static str {
    match ns {
        Namespace::User => "setns_user",
        Namespace::Mount => "setns_mount",
        Namespace::Pid => "setns_pid",
        Namespace::Net => "setns_net",
        Namespace::Uts => "setns_uts",
        Namespace::Ipc => "setns_ipc",
        Namespace::Cgroup => "setns_cgroup",
        Namespace::Time => "setns_time",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_survives_its_code_and_has_its_own_name() {
        let stages: Vec<Stage> = Stage::all().collect();
        let mut names: Vec<&str> = stages.iter().map(|s| s.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), stages.len());
        assert!(stages.iter().all(|s| Stage::from_code(s.code()) == *s));
    }
}
