//! The IAB tuple and its rules.

use linx_caps::iab::{self, Iab};
use linx_caps::CapSet;
use linx_sys::kernel::max_bits;
use rustler::{Binary, NifUnitEnum};

use crate::{status, text};

/// Inheritable, ambient, blocked from bounding.
type Masks = (u64, u64, u64);

#[derive(NifUnitEnum)]
enum Vector {
    Inheritable,
    Ambient,
    Bound,
}

impl From<Vector> for iab::Vector {
    fn from(vector: Vector) -> iab::Vector {
        match vector {
            Vector::Inheritable => iab::Vector::Inheritable,
            Vector::Ambient => iab::Vector::Ambient,
            Vector::Bound => iab::Vector::Bound,
        }
    }
}

fn tuple((inheritable, ambient, bound): Masks) -> Iab {
    let [inheritable, ambient, blocked] = [inheritable, ambient, bound].map(CapSet::from_bits);
    Iab::from_sets(inheritable, ambient, blocked)
}

fn masks(tuple: &Iab) -> Masks {
    (
        tuple.vector(iab::Vector::Inheritable).bits(),
        tuple.vector(iab::Vector::Ambient).bits(),
        tuple.vector(iab::Vector::Bound).bits(),
    )
}

#[rustler::nif]
fn iab_set_vector(old: Masks, vector: Vector, caps: u64, raised: bool) -> Masks {
    let mut tuple = tuple(old);
    tuple.set_vector(vector.into(), CapSet::from_bits(caps), raised);
    masks(&tuple)
}

#[rustler::nif]
fn iab_fill(old: Masks, vector: Vector, caps: u64) -> Masks {
    let mut tuple = tuple(old);
    tuple.fill(vector.into(), CapSet::from_bits(caps), max_bits());
    masks(&tuple)
}

#[rustler::nif]
fn iab_from_state(state: status::Masks) -> Masks {
    masks(&Iab::from_state(&status::from_masks(state), max_bits()))
}

#[rustler::nif]
fn iab_from_text(bytes: Binary) -> Result<Masks, text::Failure> {
    text::read(&bytes, iab::from_text).map(|tuple| masks(&tuple))
}

#[rustler::nif]
fn iab_to_text(old: Masks) -> String {
    iab::to_text(&tuple(old), max_bits())
}
