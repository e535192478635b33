//! What workloads leave behind.
//!
//! The agent is a subreaper, and so is every workload that is to be ended with all its descendants: those whose parent
//! dies stay below it, and become the agent's own children when it ends itself. Children that are no session's are
//! *strays*; they are looked for at intervals, since looking costs time that grows with the number of children.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use linx_sys::process;
use linx_sys::tree::{own_children, signal_tree, Snapshot};
use nix::libc::{SIGCONT, SIGKILL, SIGTERM};

/// The soonest that two looks follow each other, and the share of the time that looking may take.
const PAUSE: Duration = Duration::from_millis(50);
const SHARE: u32 = 50;
/// The same while there is nothing to end, only perhaps something to reap.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// Children without a session, and what is to become of them.
#[derive(Default)]
pub struct Strays {
    /// Those to be ended: SIGKILL is due at that time.
    doomed: HashMap<i32, Instant>,
    /// Those that are left alone, but reaped.
    spared: HashSet<i32>,
    /// Workloads ended since the last look, with what their descendants are granted.
    ended: HashMap<i32, Duration>,
    /// How many workloads there are whose descendants are left alone, and whether one has ended since the last look.
    lenient: usize,
    lenient_ended: bool,
    /// What was below the spared ones at the last look: theirs, should it become a child of ours.
    kin_of_spared: HashSet<i32>,
    scheduled: bool,
    last_cost: Duration,
}

impl Strays {
    /// A workload whose descendants are left alone has been started.
    pub fn lenient_started(&mut self) {
        self.lenient += 1;
    }

    /// One of those has ended.
    pub fn lenient_ended(&mut self) {
        self.lenient = self.lenient.saturating_sub(1);
        self.lenient_ended = true;
    }

    /// A workload has ended whose descendants are to end too, within `grace`.
    pub fn doom_those_of(&mut self, leader: i32, grace: Duration) {
        self.ended.insert(leader, grace);
    }

    /// The time of a look that was scheduled has come.
    pub fn is_due(&mut self) {
        self.scheduled = false;
    }

    /// When to look next, if that is not settled already and there is anything to look for.
    pub fn schedule(&mut self) -> Option<Duration> {
        let quiet = self.doomed.is_empty() && self.ended.is_empty();
        if self.scheduled || (quiet && self.lenient == 0 && self.spared.is_empty()) {
            return None;
        }
        self.scheduled = true;
        let pause = if quiet { LONG_PAUSE } else { PAUSE };
        Some(pause.max(self.last_cost * SHARE))
    }

    /// Whether to look at once: what has just become a child of ours can still be told to be of a workload whose
    /// descendants are left alone, or not.
    pub fn is_urgent(&self) -> bool {
        self.lenient_ended || (self.lenient > 0 && !self.ended.is_empty())
    }

    /// Whether something is still to be ended.
    pub fn has_doomed(&self) -> bool {
        !self.doomed.is_empty() || !self.ended.is_empty()
    }

    /// Looks at all children of this process; `known` are those of sessions.
    pub fn look(&mut self, known: &HashSet<i32>) {
        let began = Instant::now();
        if own_children().is_some_and(|all| all.iter().all(|child| known.contains(child))) {
            *self = Strays {
                lenient: self.lenient,
                scheduled: self.scheduled,
                last_cost: began.elapsed(),
                ..Strays::default()
            };
            return;
        }
        let snapshot = Snapshot::take();
        for child in snapshot.children(std::process::id() as i32) {
            if !known.contains(child) {
                self.meet(*child, &snapshot, began);
            }
        }
        self.ended.clear();
        self.lenient_ended = false;
        self.finish_off(&snapshot, began);
        let below = self
            .spared
            .iter()
            .flat_map(|child| snapshot.descendants(*child));
        self.kin_of_spared = below.collect();
        self.last_cost = began.elapsed();
    }

    fn meet(&mut self, child: i32, snapshot: &Snapshot, now: Instant) {
        if self.doomed.contains_key(&child) || self.spared.contains(&child) {
            return;
        }
        match self.sentence(child, snapshot) {
            Some(grace) => {
                signal_tree(snapshot, child, SIGTERM);
                signal_tree(snapshot, child, SIGCONT);
                self.doomed.insert(child, now + grace);
            }
            None => {
                self.spared.insert(child);
            }
        }
    }

    /// How long a stray may live on; `None`: for ever. One that has left the session of its workload and its family too may
    /// be anybody's; it is spared only if there is a workload whose descendants are.
    fn sentence(&self, child: i32, snapshot: &Snapshot) -> Option<Duration> {
        if self.kin_of_spared.contains(&child) {
            return None;
        }
        let session = snapshot.session(child)?;
        if let Some(grace) = self.ended.get(&session) {
            return Some(*grace);
        }
        let strictest = self.ended.values().max().copied().unwrap_or_default();
        let lenient = self.lenient > 0 || self.lenient_ended;
        (!lenient).then_some(strictest)
    }

    /// Reaps what is dead, and kills what has had its time.
    fn finish_off(&mut self, snapshot: &Snapshot, now: Instant) {
        let gone = |child: &i32| !matches!(process::reap(*child), Ok(None));
        self.spared.retain(|child| !gone(child));
        self.doomed.retain(|child, due| {
            let gone = gone(child);
            if !gone && *due <= now {
                signal_tree(snapshot, *child, SIGKILL);
            }
            !gone
        });
    }
}
