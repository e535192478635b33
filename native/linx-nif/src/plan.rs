//! What a launch is made of: the order of its settings, and the capabilities that they take.

use linx_caps::order;
use linx_caps::plan;
use linx_caps::Cap;
use rustler::NifUnitEnum;

#[derive(NifUnitEnum)]
enum Setting {
    Chroot,
    Inheritable,
    Bounding,
    Groups,
    User,
    KeepOnly,
    ThreadSets,
    Ambient,
    Iab,
    Mode,
}

impl From<order::Setting> for Setting {
    fn from(setting: order::Setting) -> Setting {
        match setting {
            order::Setting::Chroot => Setting::Chroot,
            order::Setting::Inheritable => Setting::Inheritable,
            order::Setting::Bounding => Setting::Bounding,
            order::Setting::Groups => Setting::Groups,
            order::Setting::User => Setting::User,
            order::Setting::KeepOnly => Setting::KeepOnly,
            order::Setting::ThreadSets => Setting::ThreadSets,
            order::Setting::Ambient => Setting::Ambient,
            order::Setting::Iab => Setting::Iab,
            order::Setting::Mode => Setting::Mode,
        }
    }
}

#[derive(NifUnitEnum)]
enum Privilege {
    DropBounding,
    Inherit,
    SetGroups,
    SetUid,
    SetFileCaps,
}

impl From<Privilege> for plan::Privilege {
    fn from(privilege: Privilege) -> plan::Privilege {
        match privilege {
            Privilege::DropBounding => plan::Privilege::DropBounding,
            Privilege::Inherit => plan::Privilege::Inherit,
            Privilege::SetGroups => plan::Privilege::SetGroups,
            Privilege::SetUid => plan::Privilege::SetUid,
            Privilege::SetFileCaps => plan::Privilege::SetFileCaps,
        }
    }
}

/// Every setting of a launch, in the order that works.
#[rustler::nif]
fn settings() -> Vec<Setting> {
    order::Setting::ALL.map(Setting::from).into()
}

/// The name of the capability that something takes.
#[rustler::nif]
fn needs(privilege: Privilege) -> Option<&'static str> {
    Cap::name(plan::Privilege::from(privilege).needs())
}
