//! Secure bits and their atoms.

use linx_caps::securebits::Securebits;
use once_cell::sync::OnceCell;
use rustler::{Atom, Env, NifResult, Term};

/// The atom of each secure bit, from the lowest up.
static ATOMS: OnceCell<Vec<(Securebits, Atom)>> = OnceCell::new();

/// Fills the table of atoms, once, when the library is loaded.
pub fn intern(env: Env<'_>) -> NifResult<()> {
    let atoms = Securebits::KNOWN
        .names()
        .filter_map(|name| Securebits::from_name(name).map(|bit| (bit, name)))
        .map(|(bit, name)| Ok((bit, Atom::from_str(env, name)?)))
        .collect::<NifResult<Vec<(Securebits, Atom)>>>()?;
    ATOMS.get_or_init(|| atoms);
    Ok(())
}

/// Terms are compared with the atoms, so none is made of what is no secure bit.
#[rustler::nif]
fn securebit(term: Term<'_>) -> Option<u32> {
    let (bit, _) = ATOMS.get()?.iter().find(|(_, atom)| *atom == term)?;
    Some(bit.bits())
}

#[rustler::nif]
fn securebits_names(bits: u32) -> Vec<Atom> {
    let set = Securebits::from_bits(bits);
    let known = ATOMS.get().map(Vec::as_slice).unwrap_or_default();
    let within = known.iter().filter(|(bit, _)| set.contains(*bit));
    within.map(|(_, atom)| *atom).collect()
}
