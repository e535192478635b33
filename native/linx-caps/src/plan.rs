//! The single changes a thread can make to itself, as data for whoever makes the system calls.

use crate::capset::CapSet;
use crate::securebits::Securebits;

/// One system call that changes the calling thread's capability state.
///
/// ```
/// use linx_caps::{plan::Step, CapSet};
/// let step = Step::SetThread {
///     effective: CapSet::EMPTY,
///     permitted: CapSet::single(10),
///     inheritable: CapSet::EMPTY,
/// };
/// assert_ne!(step, Step::ClearAmbient);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// capset(2) with these three sets.
    SetThread {
        /// The new effective set.
        effective: CapSet,
        /// The new permitted set.
        permitted: CapSet,
        /// The new inheritable set.
        inheritable: CapSet,
    },
    /// `PR_CAP_AMBIENT_CLEAR_ALL`.
    ClearAmbient,
    /// `PR_CAP_AMBIENT_RAISE` of one capability.
    RaiseAmbient(u8),
    /// `PR_CAPBSET_DROP` of one capability.
    DropBounding(u8),
    /// `PR_SET_SECUREBITS`.
    SetSecurebits(Securebits),
    /// `PR_SET_NO_NEW_PRIVS`.
    SetNoNewPrivs,
}
