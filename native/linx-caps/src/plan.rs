//! The single changes a thread can make to itself, as data for whoever makes the system calls.

use crate::capset::CapSet;
use crate::securebits::Securebits;

/// One change of the calling thread's capability state, told so that it does not depend on what
/// that state is: the same steps serve every thread.
///
/// ```
/// use linx_caps::{plan::Step, CapSet};
/// assert_ne!(Step::SetAmbient(CapSet::EMPTY), Step::RestoreEffective);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Add those of the set that are permitted to the effective set, and remember what that was.
    RaiseEffective(CapSet),
    /// Make the effective set what it was before [`Step::RaiseEffective`].
    RestoreEffective,
    /// capset(2); `None` leaves a set as it is.
    SetThread {
        /// The new effective set.
        effective: Option<CapSet>,
        /// The new permitted set.
        permitted: Option<CapSet>,
        /// The new inheritable set.
        inheritable: Option<CapSet>,
    },
    /// `PR_CAP_AMBIENT_CLEAR_ALL`, then `PR_CAP_AMBIENT_RAISE` of each.
    SetAmbient(CapSet),
    /// `PR_CAPBSET_DROP` of each that the kernel knows.
    DropBounding(CapSet),
    /// `PR_SET_SECUREBITS`.
    SetSecurebits(Securebits),
    /// `PR_SET_NO_NEW_PRIVS`.
    SetNoNewPrivs,
}
