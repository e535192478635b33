//! The IAB tuple and its rules.

use linx_caps::iab::{self, Iab};
use linx_caps::{CapSet, State};
use linx_sys::kernel::max_bits;
use rustler::{Binary, NifUnitEnum};

use crate::text;

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

/// Ambient comes last: what it needs is made inheritable.
fn tuple((inheritable, ambient, bound): Masks) -> Iab {
    let mut tuple = Iab::new();
    let raised = [
        (iab::Vector::Bound, bound),
        (iab::Vector::Inheritable, inheritable),
        (iab::Vector::Ambient, ambient),
    ];
    for (vector, mask) in raised {
        tuple.set_vector(vector, CapSet::from_bits(mask), true);
    }
    tuple
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
fn iab_from_state(state: (u64, u64, u64, u64, u64)) -> Masks {
    let (effective, permitted, inheritable, bounding, ambient) = state;
    let state = State {
        effective: CapSet::from_bits(effective),
        permitted: CapSet::from_bits(permitted),
        inheritable: CapSet::from_bits(inheritable),
        bounding: CapSet::from_bits(bounding),
        ambient: CapSet::from_bits(ambient),
    };
    masks(&Iab::from_state(&state, max_bits()))
}

#[rustler::nif]
fn iab_from_text(bytes: Binary) -> Result<Masks, text::Failure> {
    text::read(&bytes, iab::from_text).map(|tuple| masks(&tuple))
}

#[rustler::nif]
fn iab_to_text(old: Masks) -> String {
    iab::to_text(&tuple(old), max_bits())
}
