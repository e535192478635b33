//! The five capability sets of a thread.

use crate::capset::CapSet;

/// The five capability sets of a thread (capabilities(7), "Thread capability sets").
///
/// ```
/// use linx_caps::{CapSet, State};
/// let state = State { bounding: CapSet::KNOWN, ..State::default() };
/// assert!(state.permitted.is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct State {
    /// What an `execve` of a file with matching inheritable bits keeps (`CapInh`).
    pub inheritable: CapSet,
    /// What the thread may make effective (`CapPrm`).
    pub permitted: CapSet,
    /// What the kernel checks (`CapEff`).
    pub effective: CapSet,
    /// The limit of what an `execve` can give and inheritable can gain (`CapBnd`).
    pub bounding: CapSet,
    /// What an `execve` of an unprivileged file keeps (`CapAmb`).
    pub ambient: CapSet,
}

impl State {
    /// Everything in any of the five sets (`Cap…` in proc_pid_status(5)).
    ///
    /// ```
    /// use linx_caps::{CapSet, State};
    /// let state = State { ambient: CapSet::single(1), bounding: CapSet::single(2), ..State::default() };
    /// assert_eq!(state.union().bits(), 0b110);
    /// ```
    pub const fn union(&self) -> CapSet {
        self.inheritable
            .union(self.permitted)
            .union(self.effective)
            .union(self.bounding)
            .union(self.ambient)
    }
    /// The inheritable capabilities that the ambient ones need. Any other would get past the
    /// bounding set of a root that executes a program: it is not for those who did not ask for it
    /// (capabilities(7), "Transformation of capabilities during execve()").
    ///
    /// ```
    /// use linx_caps::{CapSet, State};
    /// let inheritable = CapSet::from_bits(0b11);
    /// let state = State { inheritable, ambient: CapSet::single(0), ..State::default() };
    /// assert_eq!(state.needed_inheritable(), CapSet::single(0));
    /// ```
    pub const fn needed_inheritable(&self) -> CapSet {
        self.inheritable.intersection(self.ambient)
    }
}
