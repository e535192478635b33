//! Capability atoms and masks.

use linx_caps::{Cap, CapSet};
use once_cell::sync::OnceCell;
use rustler::{Atom, Encoder, Env, NifResult, Term};

use crate::atoms;

/// How many elements of a list are taken per call: some ten microseconds of a scheduler.
const SLICE: usize = 1000;

/// The atom of each capability, by bit. Comparing with them makes no atom of what is no capability.
static ATOMS: OnceCell<Vec<Atom>> = OnceCell::new();

/// Fills the table of atoms, once, when the library is loaded.
pub fn intern(env: Env<'_>) -> NifResult<()> {
    let atoms = Cap::names()
        .map(|(_, name)| Atom::from_str(env, name))
        .collect::<NifResult<Vec<Atom>>>()?;
    ATOMS.get_or_init(|| atoms);
    Ok(())
}

/// What a slice of a list came to.
enum Sum<'a> {
    Whole(CapSet),
    /// The set so far, and the rest of the list.
    Part(CapSet, Term<'a>),
    /// The first term that is no capability.
    Bad(Term<'a>),
    Improper,
}

impl Encoder for Sum<'_> {
    fn encode<'b>(&self, env: Env<'b>) -> Term<'b> {
        match self {
            Sum::Whole(set) => (atoms::ok(), set.bits()).encode(env),
            Sum::Part(set, rest) => (atoms::more(), set.bits(), rest).encode(env),
            Sum::Bad(term) => (atoms::error(), (atoms::bad_capability(), term)).encode(env),
            Sum::Improper => (atoms::error(), atoms::improper_list()).encode(env),
        }
    }
}

#[rustler::nif]
fn add_caps<'a>(env: Env<'a>, list: Term<'a>, mask: u64) -> Term<'a> {
    sum(list, CapSet::from_bits(mask)).encode(env)
}

fn sum(list: Term<'_>, mut set: CapSet) -> Sum<'_> {
    let mut rest = list;
    for _ in 0..SLICE {
        let Ok((head, tail)) = rest.list_get_cell() else {
            return if rest.is_empty_list() {
                Sum::Whole(set)
            } else {
                Sum::Improper
            };
        };
        match bit_of(head) {
            Some(bit) => set.insert(bit),
            None => return Sum::Bad(head),
        };
        rest = tail;
    }
    Sum::Part(set, rest)
}

fn bit_of(term: Term<'_>) -> Option<u8> {
    let position = ATOMS.get()?.iter().position(|atom| *atom == term)?;
    u8::try_from(position).ok()
}
