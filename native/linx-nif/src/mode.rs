//! libcap's modes and their atoms.

use linx_caps::iab::Vector;
use linx_caps::mode::Mode;
use linx_caps::securebits::Securebits;
use once_cell::sync::OnceCell;
use rustler::{Atom, Env, Error, NifResult, Term};

use crate::status::{from_masks, Masks};

/// The atom of each mode, those that can be entered first.
static ATOMS: OnceCell<Vec<(Mode, Atom)>> = OnceCell::new();

/// Fills the table of atoms, once, when the library is loaded.
pub fn intern(env: Env<'_>) -> NifResult<()> {
    let atoms = Mode::ENTERED
        .into_iter()
        .chain([Mode::Uncertain])
        .map(|mode| Ok((mode, Atom::from_str(env, &mode.word())?)))
        .collect::<NifResult<Vec<(Mode, Atom)>>>()?;
    ATOMS.get_or_init(|| atoms);
    Ok(())
}

/// The mode to enter of an atom. Terms are compared with the atoms, so none is made of what is no mode.
fn entered(term: Term<'_>) -> Option<Mode> {
    let mut entered = ATOMS.get()?.iter().take(Mode::ENTERED.len());
    entered
        .find(|(_, atom)| *atom == term)
        .map(|(mode, _)| *mode)
}

/// Whether it is a mode that can be entered.
#[rustler::nif(name = "mode?")]
fn is_mode(term: Term<'_>) -> bool {
    entered(term).is_some()
}

/// Whether it empties the inheritable and the ambient set.
#[rustler::nif]
fn mode_empties(mode: Term<'_>) -> NifResult<(bool, bool)> {
    let mode = entered(mode).ok_or(Error::BadArg)?;
    Ok((
        mode.empties(Vector::Inheritable),
        mode.empties(Vector::Ambient),
    ))
}

/// The mode of a process.
#[rustler::nif]
fn mode(securebits: u32, masks: Masks) -> Option<Atom> {
    let mode = Mode::of(Securebits::from_bits(securebits), &from_masks(masks));
    let (_, atom) = ATOMS.get()?.iter().find(|(known, _)| *known == mode)?;
    Some(*atom)
}
