//! Bytes as decisions.

/// What is left of the bytes. Where there are none left, every decision is the first.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    pub fn pick_or<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        match from {
            [] => otherwise,
            from => self.pick(from),
        }
    }

    /// Bytes as they are, as many as the next one says.
    pub fn raw(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}
