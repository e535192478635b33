//! Checkpoint verbs.

use linx_sys::child::Verb;

use super::etf::Term;
use super::value::{self, BadArgument, Decoded};

/// Decodes a verb, of a verb frame or of a spawn spec.
pub(super) fn decode(term: Term<'_>) -> Decoded<Verb> {
    let (name, arguments) = value::tagged(term)?;
    match name {
        b"drop_bounding" => {
            let [mask] = value::exact(arguments)?;
            value::integer(mask).map(Verb::DropBounding)
        }
        b"set_thread_sets" => {
            let [effective, permitted, inheritable] = value::exact(arguments)?;
            Ok(Verb::SetThreadSets([
                mask_or_keep(effective)?,
                mask_or_keep(permitted)?,
                mask_or_keep(inheritable)?,
            ]))
        }
        b"set_ambient" => {
            let [mask] = value::exact(arguments)?;
            value::integer(mask).map(Verb::SetAmbient)
        }
        b"set_groups" => {
            let [gid, groups] = value::exact(arguments)?;
            let gid = value::user_or_group(gid)?;
            let groups = value::list(groups, value::user_or_group)?;
            Ok(Verb::SetGroups { gid, groups })
        }
        b"set_uid" => {
            let [uid] = value::exact(arguments)?;
            value::user_or_group(uid).map(Verb::SetUid)
        }
        _ => Err(BadArgument),
    }
}

fn mask_or_keep(term: Term<'_>) -> Decoded<Option<u64>> {
    match term {
        Term::Atom(b"keep") => Ok(None),
        mask => value::integer(mask).map(Some),
    }
}
