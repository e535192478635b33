use super::cursor::{capability, Cursor};
use super::text_error::{Expected, TextError};
use crate::capset::CapSet;
use crate::set::{Caps, Flag};

/// Reads the text of a triple (cap_from_text(3)); `max_bits` is how many capabilities the running
/// kernel has, which is what `all` and a bare `=` mean. Time is linear in the text's length.
///
/// # Errors
/// The byte position and what was expected there; a text longer than
/// [`MAX_TEXT_LEN`](super::MAX_TEXT_LEN) is not read at all.
///
/// ```
/// use linx_caps::text::{from_text, Expected, TextError};
/// let caps = from_text("cap_chown,cap_setuid=ip cap_setuid+e", 41)?;
/// assert_eq!(caps.permitted.bits(), 0x81);
/// assert_eq!(caps.effective.bits(), 0x80);
/// assert_eq!(
///     from_text("cap_chown=ep cap_frob+p", 41),
///     Err(TextError::Unexpected { position: 13, expected: Expected::CapabilityOrAll })
/// );
/// # Ok::<(), TextError>(())
/// ```
pub fn from_text(text: &str, max_bits: u8) -> Result<Caps, TextError> {
    let mut clauses = Clauses {
        cursor: Cursor::new(text)?,
        all: CapSet::below(max_bits),
        caps: Caps::new(),
    };
    loop {
        clauses.cursor.skip_space();
        match clauses.cursor.peek() {
            None => return Ok(clauses.caps),
            Some(b'=') => clauses.bare_equals()?,
            Some(_) if clauses.cursor.at_word() => clauses.listed()?,
            Some(_) => return Err(clauses.cursor.unexpected(Expected::Clause)),
        }
    }
}

struct Clauses<'a> {
    cursor: Cursor<'a>,
    all: CapSet,
    caps: Caps,
}

impl Clauses<'_> {
    /// `=ep`: no list, no further operator.
    fn bare_equals(&mut self) -> Result<(), TextError> {
        self.cursor.advance();
        self.clear(self.all);
        self.flags(self.all, true);
        if self.cursor.at_end_of_clause() {
            Ok(())
        } else {
            Err(self.cursor.unexpected(Expected::FlagOrEnd))
        }
    }

    /// `cap_chown,cap_kill=p+e`.
    fn listed(&mut self) -> Result<(), TextError> {
        let list = self.list()?;
        if self.cursor.take(b'=') {
            self.clear(list);
            self.flags(list, true);
        } else if !self.operation(list)? {
            return Err(self.cursor.unexpected(Expected::Operator));
        }
        while self.operation(list)? {}
        if self.cursor.at_end_of_clause() {
            Ok(())
        } else {
            Err(self.cursor.unexpected(Expected::FlagOrOperatorOrEnd))
        }
    }

    fn list(&mut self) -> Result<CapSet, TextError> {
        let mut list = self.item(CapSet::EMPTY)?;
        while self.cursor.take(b',') {
            list = self.item(list)?;
        }
        Ok(list)
    }

    /// Adds an item to the list before it. `all` starts the list anew, as in C: a number the
    /// kernel has no capability for is lost if it stands before.
    fn item(&mut self, before: CapSet) -> Result<CapSet, TextError> {
        let here = self.cursor.unexpected(Expected::CapabilityOrAll);
        let word = self.cursor.word();
        if word.eq_ignore_ascii_case(b"all") {
            return Ok(self.all);
        }
        let bit = capability(word).ok_or(here)?;
        Ok(before.union(CapSet::single(bit)))
    }

    /// Reads `+flags` or `-flags`; false if neither comes next.
    fn operation(&mut self, list: CapSet) -> Result<bool, TextError> {
        let raised = match self.cursor.peek() {
            Some(b'+') => true,
            Some(b'-') => false,
            _ => return Ok(false),
        };
        self.cursor.advance();
        if self.flags(list, raised) == 0 {
            return Err(self.cursor.unexpected(Expected::Flag));
        }
        Ok(true)
    }

    /// Applies the flags that come next and says how many they were.
    fn flags(&mut self, list: CapSet, raised: bool) -> usize {
        let mut count = 0;
        while let Some(flag) = self.cursor.peek().and_then(Flag::from_letter) {
            self.cursor.advance();
            self.caps.set_flag(flag, list, raised);
            count += 1;
        }
        count
    }

    fn clear(&mut self, list: CapSet) {
        for flag in Flag::TEXT_ORDER {
            self.caps.set_flag(flag, list, false);
        }
    }
}
