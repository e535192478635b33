//! The order in which the settings of a launch are made.

/// A setting of a launch. The variants stand in the order that works: each comes before what takes
/// away the right to it, and after what would undo it.
///
/// ```
/// use linx_caps::order::Setting;
/// let mut settings = [Setting::Ambient, Setting::User, Setting::Groups];
/// settings.sort();
/// assert_eq!(settings, [Setting::Groups, Setting::User, Setting::Ambient]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Setting {
    /// The root directory, while there is the right to it.
    Chroot,
    /// The inheritable set alone: what has left the bounding set cannot become inheritable.
    Inheritable,
    /// What leaves the bounding set, while `cap_setpcap` is effective; every change of ids leaves
    /// the effective set empty.
    Bounding,
    /// Group id and groups.
    Groups,
    /// User id, which empties the effective and the ambient set.
    User,
    /// [`plan::keep_only`](crate::plan::keep_only), which asks who the user is.
    KeepOnly,
    /// The thread's effective, permitted and inheritable set.
    ThreadSets,
    /// The ambient set, which lies within permitted and inheritable.
    Ambient,
    /// The IAB tuple.
    Iab,
    /// The mode, which locks the secure bits.
    Mode,
}

impl Setting {
    /// Every setting, in order.
    pub const ALL: [Setting; 10] = [
        Setting::Chroot,
        Setting::Inheritable,
        Setting::Bounding,
        Setting::Groups,
        Setting::User,
        Setting::KeepOnly,
        Setting::ThreadSets,
        Setting::Ambient,
        Setting::Iab,
        Setting::Mode,
    ];
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::cap::Cap;
    use crate::capset::CapSet;
    use crate::iab::Iab;
    use crate::mode::Mode;
    use crate::plan::{self, Step};
    use crate::simulated::Thread;

    const KEPT: CapSet = CapSet::single(Cap::SYS_ADMIN);
    const USER: u32 = 1;

    /// A launch of an ordinary user with one capability.
    fn steps(setting: Setting) -> Vec<Step> {
        let inheritable = |others| Step::SetThread {
            effective: others,
            permitted: others,
            inheritable: Some(KEPT),
        };
        match setting {
            Setting::Chroot => plan::chroot(c"/srv".into()),
            Setting::Inheritable => vec![inheritable(None)],
            Setting::Bounding => vec![Step::DropBounding(CapSet::ALL)],
            Setting::Groups => plan::set_groups(USER, vec![]),
            Setting::User => plan::set_uid(USER),
            Setting::KeepOnly => plan::keep_only(KEPT),
            Setting::ThreadSets => vec![inheritable(Some(KEPT))],
            Setting::Ambient => vec![Step::SetAmbient(KEPT)],
            Setting::Iab => Iab::from_sets(KEPT, KEPT, CapSet::ALL).plan(),
            Setting::Mode => Mode::Pure1e.plan().unwrap(),
        }
    }

    fn launch(settings: &[Setting]) -> Option<Thread> {
        let mut thread = Thread::root();
        let steps: Vec<Step> = settings.iter().copied().flat_map(steps).collect();
        thread.take_all(&steps).ok().map(|()| thread)
    }

    #[test]
    fn all_are_there_in_order() {
        assert!(Setting::ALL.is_sorted_by(|one, next| (*one as usize) + 1 == *next as usize));
        assert_eq!(Setting::ALL.last(), Some(&Setting::Mode));
    }

    /// What is declared before the ids are changed, the ids, and the sets of whoever it is then.
    const BY_SETS: [Setting; 7] = [
        Setting::Chroot,
        Setting::Inheritable,
        Setting::Bounding,
        Setting::Groups,
        Setting::User,
        Setting::ThreadSets,
        Setting::Ambient,
    ];
    const BY_TUPLE: [Setting; 5] = [
        Setting::Chroot,
        Setting::Groups,
        Setting::User,
        Setting::Iab,
        Setting::Mode,
    ];

    proptest! {
        #[test]
        fn whichever_are_asked_for_none_is_refused(
            sets in subsequence(&BY_SETS, 0..=BY_SETS.len()),
            tuple in subsequence(&BY_TUPLE, 0..=BY_TUPLE.len()),
        ) {
            let mut sets = sets;
            // The thread's sets include the inheritable one, without which nothing can be ambient.
            if sets.contains(&Setting::ThreadSets) && !sets.contains(&Setting::Inheritable) {
                sets.push(Setting::Inheritable);
            }
            let inherits = sets.contains(&Setting::Inheritable);
            sets.retain(|setting| *setting != Setting::Ambient || inherits);
            sets.sort_unstable();
            let ambient = sets.contains(&Setting::Ambient);
            let thread = launch(&sets);
            prop_assert_eq!(thread.map(|thread| thread.state.ambient == KEPT), Some(ambient));
            let thread = launch(&tuple);
            prop_assert_eq!(
                thread.map(|thread| thread.state.inheritable == KEPT),
                Some(tuple.contains(&Setting::Iab))
            );
        }
    }

    #[test]
    fn the_other_way_round_a_step_is_refused_or_undone() {
        use Setting::*;
        for refused in [
            [Bounding, Inheritable],
            [User, Bounding],
            [ThreadSets, Chroot],
            [ThreadSets, Bounding],
            [ThreadSets, Groups],
            [Ambient, ThreadSets],
            [Mode, User],
        ] {
            assert_eq!(launch(&refused), None, "{refused:?}");
        }
        for undone in [[ThreadSets, Ambient], [Inheritable, Ambient]] {
            let all = [&undone[..], &[User]].concat();
            let lost = launch(&all).is_none_or(|thread| thread.state.ambient.is_empty());
            assert!(lost, "{all:?}");
        }
        let asked_as_root = launch(&[KeepOnly, User]);
        assert!(asked_as_root.is_none_or(|thread| thread.state.ambient.is_empty()));
    }
}
