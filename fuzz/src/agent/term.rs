//! Erlang's external term format as a client of the agent has it, apart from the agent's own reader and writer.

/// A term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    Int(i128),
    Atom(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Term>),
    List(Vec<Term>),
    Map(Vec<(Term, Term)>),
}

pub fn atom(name: &str) -> Term {
    Term::Atom(name.to_owned())
}

pub fn int(value: impl Into<i128>) -> Term {
    Term::Int(value.into())
}

pub fn bytes(value: impl AsRef<[u8]>) -> Term {
    Term::Bytes(value.as_ref().to_vec())
}

/// The tuple `{name, arguments...}`.
pub fn tagged<const N: usize>(name: &str, arguments: [Term; N]) -> Term {
    Term::Tuple([atom(name)].into_iter().chain(arguments).collect())
}

impl Term {
    /// As the one term of a frame, without the frame's length.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![131];
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Term::Int(value) => {
                out.extend([110, 8, u8::from(*value < 0)]);
                out.extend((value.unsigned_abs() as u64).to_le_bytes());
            }
            Term::Atom(name) => {
                out.extend([119, name.len() as u8]);
                out.extend(name.bytes());
            }
            Term::Bytes(value) => {
                counted(out, 109, value.len());
                out.extend(value);
            }
            Term::Tuple(terms) => {
                out.extend([104, terms.len() as u8]);
                terms.iter().for_each(|term| term.write(out));
            }
            Term::List(terms) => {
                counted(out, 108, terms.len());
                terms.iter().for_each(|term| term.write(out));
                out.push(106);
            }
            Term::Map(pairs) => {
                counted(out, 116, pairs.len());
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
        }
    }

    /// The term of a frame that the agent wrote.
    ///
    /// # Panics
    /// If it is none, or of a kind that the agent does not write.
    pub fn decode(frame: &[u8]) -> Term {
        let mut cursor = Cursor(frame);
        assert_eq!(cursor.byte(), 131);
        let term = cursor.term();
        assert!(cursor.0.is_empty(), "bytes after the term");
        term
    }
}

fn counted(out: &mut Vec<u8>, tag: u8, count: usize) {
    out.push(tag);
    out.extend((count as u32).to_be_bytes());
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn count(&mut self) -> usize {
        let bytes = self.take(4);
        u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize
    }

    fn term(&mut self) -> Term {
        match self.byte() {
            97 => int(self.byte()),
            98 => int(self.count() as u32 as i32),
            110 => {
                let length = usize::from(self.byte());
                assert_eq!(self.byte(), 0, "a negative number");
                let digits = self.take(length).iter().rev();
                Term::Int(digits.fold(0, |sum, digit| sum << 8 | i128::from(*digit)))
            }
            119 => {
                let length = usize::from(self.byte());
                Term::Atom(String::from_utf8_lossy(self.take(length)).into_owned())
            }
            109 => {
                let length = self.count();
                bytes(self.take(length))
            }
            104 => Term::Tuple((0..self.byte()).map(|_| self.term()).collect()),
            116 => Term::Map(
                (0..self.count())
                    .map(|_| (self.term(), self.term()))
                    .collect(),
            ),
            tag => panic!("the agent wrote tag {tag}"),
        }
    }
}
