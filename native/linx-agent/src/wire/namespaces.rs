//! Sets of namespaces.

use linx_sys::child::Namespace;

/// The namespace with this name on the wire: `/proc/PID/ns` has it, but for the mount namespace.
pub(super) fn from_name(name: &[u8]) -> Option<Namespace> {
    Namespace::ALL
        .into_iter()
        .find(|ns| ns.name().as_bytes() == name)
}

/// A set of namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Namespaces(u8);

impl Namespaces {
    /// Every one.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether the set holds `ns`.
    pub const fn contains(self, ns: Namespace) -> bool {
        self.0 & bit(ns) != 0
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Self {
        Self(namespaces.into_iter().fold(0, |bits, ns| bits | bit(ns)))
    }
}

const fn bit(ns: Namespace) -> u8 {
    1 << ns as u8
}
