//! Types of namespaces, and sets of them.

/// A type of namespace, as `namespaces(7)` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Network devices, stacks, ports.
    Net,
    /// Mount points.
    Mount,
    /// Process ids.
    Pid,
    /// Host name and NIS domain name.
    Uts,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// User and group ids.
    User,
    /// The cgroup root directory.
    Cgroup,
    /// Boot and monotonic clocks.
    Time,
}

impl Namespace {
    const ALL: [Self; 8] = [
        Self::Net,
        Self::Mount,
        Self::Pid,
        Self::Uts,
        Self::Ipc,
        Self::User,
        Self::Cgroup,
        Self::Time,
    ];

    /// The type with this name on the wire.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|namespace| namespace.name().as_bytes() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::User => "user",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of namespace types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Namespaces(u8);

impl Namespaces {
    /// Every type.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether the set holds `namespace`.
    pub const fn contains(self, namespace: Namespace) -> bool {
        self.0 & namespace.bit() != 0
    }

    /// The members, in the order of [`Namespace`].
    pub fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL
            .into_iter()
            .filter(move |namespace| self.contains(*namespace))
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Self {
        Self(
            namespaces
                .into_iter()
                .fold(0, |bits, namespace| bits | namespace.bit()),
        )
    }
}
