//! libcap's modes.

use linx_caps::iab::Vector;
use linx_caps::mode;
use rustler::NifUnitEnum;

/// The modes that can be entered, by the atoms of their names.
#[derive(NifUnitEnum)]
enum Mode {
    Nopriv,
    Pure1eInit,
    Pure1e,
    Hybrid,
}

impl From<Mode> for mode::Mode {
    fn from(mode: Mode) -> mode::Mode {
        match mode {
            Mode::Nopriv => mode::Mode::Nopriv,
            Mode::Pure1eInit => mode::Mode::Pure1eInit,
            Mode::Pure1e => mode::Mode::Pure1e,
            Mode::Hybrid => mode::Mode::Hybrid,
        }
    }
}

/// Whether it empties the inheritable and the ambient set.
#[rustler::nif]
fn mode_empties(mode: Mode) -> (bool, bool) {
    let mode = mode::Mode::from(mode);
    (
        mode.empties(Vector::Inheritable),
        mode.empties(Vector::Ambient),
    )
}
