//! Which processes descend from which.

use std::collections::HashMap;
use std::fs;
use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::process;

/// Makes this process the parent of every descendant whose own parent ends before it (`PR_SET_CHILD_SUBREAPER`, `prctl(2)`).
///
/// # Errors
/// `EINVAL` from a kernel older than 3.4.
///
/// ```
/// use linx_sys::tree::{become_subreaper, signal_where};
/// become_subreaper()?;
/// // The shell ends before its child, which is ours from then on.
/// let script = "sleep 60 >/dev/null 2>&1 & echo $!";
/// let shell = std::process::Command::new("sh").args(["-c", script]).output()?;
/// let (orphan, own) = (String::from_utf8(shell.stdout)?.trim().parse()?, std::process::id() as i32);
/// assert!(signal_where(orphan, 9, |kin| kin.parent == own));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn become_subreaper() -> Result<(), Errno> {
    process::prctl(libc::PR_SET_CHILD_SUBREAPER, 1).map(drop)
}

/// The children of the calling thread, dead ones not yet reaped included; `None` where the kernel does not list them
/// (`CONFIG_PROC_CHILDREN`, `proc_tid_children(5)`). Far cheaper than a [`Snapshot`].
///
/// ```
/// let mut child = std::process::Command::new("true").spawn()?;
/// let listed = linx_sys::tree::own_children();
/// assert!(listed.is_none_or(|children| children.contains(&(child.id() as i32))));
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn own_children() -> Option<Vec<i32>> {
    let list = fs::read_to_string("/proc/thread-self/children").ok()?;
    Some(
        list.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// All processes as procfs showed them in one walk: what was born or died meanwhile may be missing or gone. A pid that
/// is not in it has no children and no session.
///
/// ```
/// use linx_sys::tree::Snapshot;
/// assert!(Snapshot::default().descendants(1).is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Snapshot {
    children: HashMap<i32, Vec<i32>>,
    sessions: HashMap<i32, i32>,
}

impl Snapshot {
    /// Looks at every process (`proc_pid_stat(5)`). Costs some microseconds for each.
    ///
    /// ```
    /// let own = std::process::id() as i32;
    /// assert!(linx_sys::tree::Snapshot::take().session(own).is_some());
    /// ```
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

    /// The children of a process, dead ones not yet reaped included (the fourth field in `proc_pid_stat(5)`).
    ///
    /// ```
    /// let mut child = std::process::Command::new("true").spawn()?;
    /// let snapshot = linx_sys::tree::Snapshot::take();
    /// assert_eq!(snapshot.children(std::process::id() as i32), [child.id() as i32]);
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn children(&self, pid: i32) -> &[i32] {
        self.children.get(&pid).map_or(&[], Vec::as_slice)
    }

    /// Everything below a process, parents before their children (the fourth field in `proc_pid_stat(5)`).
    ///
    /// ```
    /// let parent = std::os::unix::process::parent_id() as i32;
    /// let below = linx_sys::tree::Snapshot::take().descendants(parent);
    /// assert!(below.contains(&(std::process::id() as i32)));
    /// ```
    pub fn descendants(&self, pid: i32) -> Vec<i32> {
        let mut found = self.children(pid).to_vec();
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend_from_slice(self.children(parent));
            next += 1;
        }
        found
    }

    /// The session of a process, by its leader's pid (`setsid(2)`); `None` for what is not in the snapshot.
    ///
    /// ```
    /// let own = std::process::id() as i32;
    /// let session = linx_sys::tree::Snapshot::take().session(own);
    /// assert_eq!(session, nix::unistd::getsid(None).map(|pid| pid.as_raw()).ok());
    /// ```
    pub fn session(&self, pid: i32) -> Option<i32> {
        self.sessions.get(&pid).copied()
    }

    /// The pids of every process of a session (`setsid(2)`), in no order.
    ///
    /// ```
    /// let own = std::process::id() as i32;
    /// let snapshot = linx_sys::tree::Snapshot::take();
    /// let session = snapshot.session(own).unwrap_or_default();
    /// assert!(snapshot.members(session).any(|pid| pid == own));
    /// ```
    pub fn members(&self, session: i32) -> impl Iterator<Item = i32> + '_ {
        self.sessions
            .iter()
            .filter(move |(_, of)| **of == session)
            .map(|(pid, _)| *pid)
    }
}

/// Signals a child of this process that is not reaped, and everything below it, the lowest first, so that none is handed
/// to another parent before its turn. The child itself may be younger than the snapshot. Whoever cannot be signalled is
/// left alone ([`signal_where`], `pidfd_send_signal(2)`).
///
/// ```
/// use linx_sys::tree::{signal_tree, Snapshot};
/// use std::os::unix::process::ExitStatusExt;
/// let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
/// signal_tree(&Snapshot::take(), child.id() as i32, 15);
/// assert_eq!(child.wait()?.signal(), Some(15));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn signal_tree(snapshot: &Snapshot, root: i32, number: i32) {
    for pid in snapshot.descendants(root).iter().rev() {
        let session = snapshot.session(*pid);
        signal_where(*pid, number, |kin| Some(kin.session) == session);
    }
    signal_where(root, number, |_| true);
}

/// Signals a process if `holds` of it, looked at while it is held by a pidfd (`pidfd_open(2)`): a number that was used again
/// meanwhile hits nobody else. Whether it was signalled: not if it is gone, or the kernel refuses.
///
/// ```
/// use linx_sys::tree::signal_where;
/// let own = std::process::id() as i32;
/// assert!(signal_where(own, 0, |kin| kin.parent as u32 == std::os::unix::process::parent_id()));
/// assert!(!signal_where(own, 9, |_| false));
/// ```
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
