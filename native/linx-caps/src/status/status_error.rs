use thiserror::Error;

/// Why a status text was refused; each says which line, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StatusError {
    /// A line that every kernel writes is not there.
    #[error("no {0} line")]
    Missing(&'static str),
    /// A line that may come once comes again.
    #[error("more than one {0} line")]
    Duplicate(&'static str),
    /// The value is not what the kernel writes: not hex, more than 16 digits, not decimal, …
    #[error("malformed {0} line")]
    Malformed(&'static str),
}
