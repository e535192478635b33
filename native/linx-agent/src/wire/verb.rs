//! Checkpoint verbs.

use super::etf::Term;
use super::value::{self, BadArgument, Decoded};

/// What a parked child is asked to do to itself. Masks hold capability *n* at bit *n*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Drop these from the bounding set.
    DropBounding(u64),
    /// Set the thread's three sets.
    SetThreadSets(Sets),
    /// Make these the ambient set.
    SetAmbient(u64),
    /// Become this group, with these supplementary groups.
    SetGroups {
        /// Real, effective and saved group id.
        gid: u32,
        /// The supplementary groups; the kernel bounds their number.
        groups: Vec<u32>,
    },
    /// Become this user, keeping the permitted set.
    SetUid(u32),
}

/// Arguments of `capset(2)`; `None` keeps a set as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sets {
    /// The effective set.
    pub effective: Option<u64>,
    /// The permitted set.
    pub permitted: Option<u64>,
    /// The inheritable set.
    pub inheritable: Option<u64>,
}

impl Verb {
    /// Decodes a verb, of a verb frame or of a spawn spec.
    pub(super) fn decode(term: Term<'_>) -> Decoded<Self> {
        let (name, arguments) = value::tagged(term)?;
        match name {
            b"drop_bounding" => {
                let [mask] = value::exact(arguments)?;
                value::integer(mask).map(Self::DropBounding)
            }
            b"set_thread_sets" => Sets::decode(value::exact(arguments)?).map(Self::SetThreadSets),
            b"set_ambient" => {
                let [mask] = value::exact(arguments)?;
                value::integer(mask).map(Self::SetAmbient)
            }
            b"set_groups" => {
                let [gid, groups] = value::exact(arguments)?;
                let gid = value::user_or_group(gid)?;
                let groups = value::list(groups, value::user_or_group)?;
                Ok(Self::SetGroups { gid, groups })
            }
            b"set_uid" => {
                let [uid] = value::exact(arguments)?;
                value::user_or_group(uid).map(Self::SetUid)
            }
            _ => Err(BadArgument),
        }
    }
}

impl Sets {
    fn decode([effective, permitted, inheritable]: [Term<'_>; 3]) -> Decoded<Self> {
        Ok(Self {
            effective: mask_or_keep(effective)?,
            permitted: mask_or_keep(permitted)?,
            inheritable: mask_or_keep(inheritable)?,
        })
    }
}

fn mask_or_keep(term: Term<'_>) -> Decoded<Option<u64>> {
    match term {
        Term::Atom(b"keep") => Ok(None),
        mask => value::integer(mask).map(Some),
    }
}
