//! Checkpoint verbs: what a client may ask of a parked child.

use linx_caps::mode::Mode;

use super::etf::Term;
use super::value::{self, BadArgument, Decoded};

/// What a parked child is asked to do to itself. Masks hold capability *n* at bit *n*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb<'a> {
    /// Drop these from the bounding set.
    DropBounding(u64),
    /// Set the thread's three sets, effective, permitted, inheritable; `None` keeps one.
    SetThreadSets([Option<u64>; 3]),
    /// Make these the ambient set.
    SetAmbient(u64),
    /// Add these to the ambient set.
    RaiseAmbient(u64),
    /// Take these from the ambient set.
    DropAmbient(u64),
    /// Leave at most these everywhere.
    KeepOnly(u64),
    /// Become this group, with these supplementary groups.
    SetGroups {
        /// Real, effective and saved group id.
        gid: u32,
        /// The supplementary groups; the kernel bounds their number.
        groups: Vec<u32>,
    },
    /// Become this user, keeping the permitted set.
    SetUid(u32),
    /// Set the secure bits.
    SetSecurebits(u32),
    /// Enter one of libcap's modes.
    SetMode(Mode),
    /// Set inheritable and ambient, and drop what is blocked from bounding.
    SetIab {
        /// The inheritable set.
        inheritable: u64,
        /// The ambient set.
        ambient: u64,
        /// What is to leave the bounding set.
        blocked: u64,
    },
    /// Set `no_new_privs`.
    SetNoNewPrivs,
    /// Change the root directory.
    Chroot(&'a [u8]),
}

impl<'a> Verb<'a> {
    /// Decodes a verb, of a verb frame or of a spawn spec.
    pub(super) fn decode(term: Term<'a>) -> Decoded<Self> {
        let (name, rest) = value::tagged(term)?;
        let mask = |rest| {
            let [mask] = value::exact(rest)?;
            value::integer(mask)
        };
        match name {
            b"drop_bounding" => mask(rest).map(Self::DropBounding),
            b"set_ambient" => mask(rest).map(Self::SetAmbient),
            b"raise_ambient" => mask(rest).map(Self::RaiseAmbient),
            b"drop_ambient" => mask(rest).map(Self::DropAmbient),
            b"keep_only" => mask(rest).map(Self::KeepOnly),
            b"set_thread_sets" => {
                let [e, p, i] = value::exact(rest)?;
                let sets = [mask_or_keep(e)?, mask_or_keep(p)?, mask_or_keep(i)?];
                Ok(Self::SetThreadSets(sets))
            }
            b"set_groups" => {
                let [gid, groups] = value::exact(rest)?;
                let gid = value::user_or_group(gid)?;
                let groups = value::list(groups, value::user_or_group)?;
                Ok(Self::SetGroups { gid, groups })
            }
            b"set_uid" => {
                let [uid] = value::exact(rest)?;
                value::user_or_group(uid).map(Self::SetUid)
            }
            b"set_securebits" => {
                let [bits] = value::exact(rest)?;
                value::integer(bits).map(Self::SetSecurebits)
            }
            b"set_mode" => {
                let [name] = value::exact(rest)?;
                mode(name).map(Self::SetMode)
            }
            b"set_iab" => {
                let [i, a, b] = value::exact(rest)?;
                let [inheritable, ambient, blocked] =
                    [value::integer(i)?, value::integer(a)?, value::integer(b)?];
                Ok(Self::SetIab {
                    inheritable,
                    ambient,
                    blocked,
                })
            }
            b"set_no_new_privs" => {
                let [] = value::exact(rest)?;
                Ok(Self::SetNoNewPrivs)
            }
            b"chroot" => {
                let [path] = value::exact(rest)?;
                value::text(path).map(Self::Chroot)
            }
            _ => Err(BadArgument),
        }
    }
}

fn mask_or_keep(term: Term<'_>) -> Decoded<Option<u64>> {
    match term {
        Term::Atom(b"keep") => Ok(None),
        mask => value::integer(mask).map(Some),
    }
}

fn mode(term: Term<'_>) -> Decoded<Mode> {
    match term {
        Term::Atom(word) => Mode::from_word(word).ok_or(BadArgument),
        _ => Err(BadArgument),
    }
}
