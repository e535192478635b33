//! Things to do later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

/// What to do when a timer is up.
#[derive(Debug)]
pub enum Action {
    /// SIGKILL for a session's process group.
    Kill(u64),
    /// See whether a session's process has ended; there was no descriptor left to watch it by.
    CheckEnd(u64),
    /// SIGKILL for what a dead agent left of a workload's session.
    KillLeftover(Leftover),
    /// Look for what workloads have left behind.
    LookForStrays,
}

/// The session of a workload whose agent died.
#[derive(Clone, Copy, Debug)]
pub struct Leftover {
    pub leader: i32,
    /// It was there when that much time had passed since boot.
    pub there: Duration,
}

/// Pending timers, soonest first.
#[derive(Debug, Default)]
pub struct Timers {
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    actions: HashMap<u64, Action>,
    count: u64,
}

impl Timers {
    /// Has `action` done after `delay`.
    pub fn add(&mut self, delay: Duration, action: Action) {
        self.count += 1;
        self.actions.insert(self.count, action);
        self.due.push(Reverse((Instant::now() + delay, self.count)));
    }

    /// Brings everything forward by `time`.
    pub fn skip(&mut self, time: Duration) {
        let sooner = |Reverse((at, number)): Reverse<(Instant, u64)>| {
            Reverse((at.checked_sub(time).unwrap_or(at), number))
        };
        self.due = std::mem::take(&mut self.due)
            .into_iter()
            .map(sooner)
            .collect();
    }

    /// The next action that is due by `now`.
    pub fn next(&mut self, now: Instant) -> Option<Action> {
        let Reverse((at, number)) = *self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        self.actions.remove(&number)
    }

    /// Milliseconds until the next is due, rounded up; `None` if there is none.
    pub fn wait(&self) -> Option<u16> {
        let Reverse((at, _)) = self.due.peek()?;
        let millis = at
            .saturating_duration_since(Instant::now())
            .as_micros()
            .div_ceil(1000);
        Some(u16::try_from(millis).unwrap_or(u16::MAX))
    }

    /// Whether a process left behind is still to be killed.
    pub fn has_leftovers(&self) -> bool {
        self.actions
            .values()
            .any(|action| matches!(action, Action::KillLeftover(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_come_in_the_order_of_their_time() {
        let mut timers = Timers::default();
        timers.add(Duration::from_secs(20), Action::Kill(2));
        timers.add(Duration::from_secs(10), Action::Kill(1));
        let now = Instant::now();
        assert!(timers.next(now).is_none());
        let later = now + Duration::from_secs(30);
        assert!(matches!(timers.next(later), Some(Action::Kill(1))));
        assert!(matches!(timers.next(later), Some(Action::Kill(2))));
        assert!(timers.next(later).is_none() && timers.wait().is_none());
    }

    #[test]
    fn time_can_be_skipped() {
        let mut timers = Timers::default();
        timers.add(Duration::from_secs(20), Action::Kill(2));
        timers.skip(Duration::from_secs(15));
        let now = Instant::now();
        assert!(timers.next(now).is_none());
        timers.skip(Duration::from_secs(5));
        assert!(matches!(timers.next(now), Some(Action::Kill(2))));
    }
}
