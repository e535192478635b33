//! The ids of a thread.

/// The four ids of a thread, of user or group (credentials(7)).
///
/// ```
/// use linx_caps::Ids;
/// let setuid_root = Ids { effective: 0, saved: 0, fs: 0, ..Ids::all(1000) };
/// assert_eq!(setuid_root.real, 1000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ids {
    /// Who the thread is.
    pub real: u32,
    /// Whose rights it has.
    pub effective: u32,
    /// Whose rights it may take back.
    pub saved: u32,
    /// Whose rights it has at file systems.
    pub fs: u32,
}

impl Ids {
    /// Four times the same id, as of a thread that never changed any (credentials(7)).
    ///
    /// ```
    /// assert_eq!(linx_caps::Ids::all(33).saved, 33);
    /// ```
    pub const fn all(id: u32) -> Ids {
        Ids {
            real: id,
            effective: id,
            saved: id,
            fs: id,
        }
    }
}
