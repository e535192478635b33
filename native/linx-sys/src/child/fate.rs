//! Exec or not: decided once, by whoever comes first.

use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Shared by a child that execs by itself and its parent, which may want to take the launch back. Whichever
/// decides first is obeyed by the other: a launch that was withdrawn never runs, one that was not is not touched.
pub(super) struct Fate(AtomicU8);

impl Fate {
    pub(super) const fn open() -> Self {
        Fate(AtomicU8::new(OPEN))
    }

    /// The child is about to exec. `false` if it must not.
    #[inline(always)]
    pub(super) fn commit(&self) -> bool {
        self.decide(COMMITTED)
    }

    /// The parent takes the launch back. `false` if it is too late.
    pub(super) fn withdraw(&self) -> bool {
        self.decide(WITHDRAWN) || self.0.load(Ordering::Acquire) == WITHDRAWN
    }

    pub(super) fn is_committed(&self) -> bool {
        self.0.load(Ordering::Acquire) == COMMITTED
    }

    #[inline(always)]
    fn decide(&self, fate: u8) -> bool {
        self.0
            .compare_exchange(OPEN, fate, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decision_stands() {
        let fate = Fate::open();
        assert!(fate.commit() && fate.is_committed());
        assert!(!fate.withdraw() && fate.is_committed());

        let fate = Fate::open();
        assert!(fate.withdraw() && !fate.is_committed());
        assert!(!fate.commit() && fate.withdraw());
    }
}
