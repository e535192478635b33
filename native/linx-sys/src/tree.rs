//! Which processes descend from which.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::process;

/// Makes this process the parent of every descendant whose own parent ends before it.
/// `PR_SET_CHILD_SUBREAPER`, `prctl(2)`.
pub fn become_subreaper() -> Result<(), Errno> {
    process::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).map(drop)
}

/// The children of the calling thread, dead ones not yet reaped included; `None` where the kernel does not list them
/// (`CONFIG_PROC_CHILDREN`, `proc_tid_children(5)`). Far cheaper than a [`Snapshot`].
pub fn own_children() -> Option<Vec<i32>> {
    let list = fs::read_to_string("/proc/thread-self/children").ok()?;
    Some(
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// All processes as procfs showed them in one walk: what was born or died meanwhile may be missing or gone.
#[derive(Debug, Default)]
pub struct Snapshot {
    children: HashMap<i32, Vec<i32>>,
    sessions: HashMap<i32, i32>,
}

impl Snapshot {
    /// Looks at every process (`proc_pid_stat(5)`). Costs some microseconds for each.
    pub fn take() -> Self {
        let mut snapshot = Snapshot::default();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for entry in entries {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(kin) = pid.and_then(|pid| process::kin(pid).map(|kin| (pid, kin))) else {
                continue;
            };
            let (pid, process::Kin { parent, session }) = kin;
            snapshot.children.entry(parent).or_default().push(pid);
            snapshot.sessions.insert(pid, session);
        }
        snapshot
    }

    /// The children of a process, dead ones not yet reaped included.
    pub fn children(&self, pid: i32) -> &[i32] {
        self.children.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// Everything below a process, parents before their children.
    pub fn descendants(&self, pid: i32) -> Vec<i32> {
        let mut found = self.children(pid).to_vec();
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend_from_slice(self.children(parent));
            next += 1;
        }
        found
    }

    /// The session of a process, by its leader's pid (`setsid(2)`).
    pub fn session(&self, pid: i32) -> Option<i32> {
        self.sessions.get(&pid).copied()
    }

    /// Every process of a session.
    pub fn members(&self, session: i32) -> impl Iterator<Item = i32> + '_ {
        self.sessions
            .iter()
            .filter(move |(_, of)| **of == session)
            .map(|(pid, _)| *pid)
    }
}

/// Signals a child of this process that is not reaped, and everything below it, the lowest first, so that none is handed
/// to another parent before its turn. The child itself may be younger than the snapshot.
pub fn signal_tree(snapshot: &Snapshot, root: i32, number: i32) {
    for pid in snapshot.descendants(root).iter().rev() {
        let session = snapshot.session(*pid);
        signal_where(*pid, number, |kin| Some(kin.session) == session);
    }
    signal_where(root, number, |_| true);
}

/// Signals a process if `holds` of it, looked at while it is held by a pidfd: a number that was used again meanwhile hits
/// nobody else.
pub fn signal_where(pid: i32, number: i32, holds: impl FnOnce(process::Kin) -> bool) -> bool {
    let Ok(pidfd) = process::pidfd_open(pid) else {
        return false;
    };
    process::kin(pid).is_some_and(holds) && process::signal(pidfd.as_fd(), number).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_below_its_parent_and_signalled() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let (ours, pid) = (std::process::id() as i32, child.id() as i32);
        let snapshot = Snapshot::take();
        assert!(snapshot.children(ours).contains(&pid));
        assert!(snapshot.descendants(ours).contains(&pid));
        assert!(!signal_where(pid, 9, |kin| kin.parent == ours + 1));
        signal_tree(&snapshot, pid, 9);
        let status = child.wait().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }
}
