use thiserror::Error;

use super::MAX_TEXT_LEN;

/// Why a text of capabilities was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// Something else stood where the grammar wants `expected`.
    #[error("expected {expected} at byte {position}")]
    Unexpected {
        /// Byte offset into the text, from 0; the text's length if it ended too early.
        position: usize,
        /// What would have been right there.
        expected: Expected,
    },
    /// The text is longer than [`MAX_TEXT_LEN`].
    #[error("a text of {length} bytes is longer than {MAX_TEXT_LEN}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// What the grammar of texts wants at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Expected {
    /// A capability, where `all` will not do.
    #[error("a capability name or a number below 64")]
    Capability,
    /// A capability or all of them.
    #[error("a capability name, `all` or a number below 64")]
    CapabilityOrAll,
    /// The start of a clause.
    #[error("a list of capabilities or `=`")]
    Clause,
    /// What follows a list.
    #[error("`,`, `=`, `+` or `-`")]
    Operator,
    /// What follows `+` or `-`.
    #[error("a flag: `e`, `i` or `p`")]
    Flag,
    /// What may follow the flags after a list.
    #[error("a flag, `+`, `-`, a space or the end")]
    FlagOrOperatorOrEnd,
    /// What may follow the flags of a `=` without a list.
    #[error("a flag, a space or the end")]
    FlagOrEnd,
    /// What may follow a capability in an IAB tuple.
    #[error("`,` or the end")]
    CommaOrEnd,
}
