//! A set of capabilities as the kernel holds it: 64 bits.

use std::fmt;

use crate::table::KNOWN_MASK;

/// A set of capabilities: bit `n` for capability `n`, unnamed bits included.
///
/// Bits are numbers below 64; a larger one is in no set, and inserting it changes nothing. The operations are those on
/// `kernel_cap_t` in the kernel's include/linux/capability.h, and those that sets have beside.
///
/// ```
/// use linx_caps::{Cap, CapSet};
/// let mut set = CapSet::EMPTY;
/// assert!(set.insert(Cap::SETPCAP));
/// assert!(set.contains(Cap::SETPCAP));
/// assert_eq!(set.bits(), 0x100);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct CapSet(u64);

impl CapSet {
    /// The empty set.
    pub const EMPTY: CapSet = CapSet(0);

    /// All 64 bits, named or not.
    pub const ALL: CapSet = CapSet(u64::MAX);

    /// Every capability that has a name in the table ([`KNOWN_MASK`]).
    pub const KNOWN: CapSet = CapSet(KNOWN_MASK);

    /// A set from the kernel's mask, as in `proc_pid_status(5)`.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::from_bits(0b101).iter().collect::<Vec<_>>(), [0, 2]);
    /// ```
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> CapSet {
        CapSet(bits)
    }

    /// The kernel's mask of this set, as in `proc_pid_status(5)`.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::single(21).bits(), 0x20_0000);
    /// ```
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of one capability; empty if `bit` is 64 or more, as in a mask of `proc_pid_status(5)`.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::single(0).bits(), 1);
    /// assert!(CapSet::single(64).is_empty());
    /// ```
    #[inline(always)]
    pub const fn single(bit: u8) -> CapSet {
        match 1u64.checked_shl(bit as u32) {
            Some(mask) => CapSet(mask),
            None => CapSet::EMPTY,
        }
    }

    /// The capabilities `0..max_bits`: all that a kernel with that many knows (`cap_max_bits(3)`).
    ///
    /// ```
    /// use linx_caps::{CapSet, NAMED_COUNT};
    /// assert_eq!(CapSet::below(NAMED_COUNT), CapSet::KNOWN);
    /// assert_eq!(CapSet::below(0), CapSet::EMPTY);
    /// assert_eq!(CapSet::below(200), CapSet::ALL);
    /// ```
    pub const fn below(max_bits: u8) -> CapSet {
        match 1u64.checked_shl(max_bits as u32) {
            Some(limit) => CapSet(limit - 1),
            None => CapSet::ALL,
        }
    }

    /// Whether the set holds nothing (`cap_isclear` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert!(CapSet::EMPTY.is_empty() && !CapSet::KNOWN.is_empty());
    /// ```
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many capabilities the set holds: the bits set in its mask (`proc_pid_status(5)`), 0 to 64.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::from_bits(0b1011).len(), 3);
    /// ```
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether `bit` is in the set (`cap_raised` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert!(CapSet::from_bits(4).contains(2));
    /// assert!(!CapSet::ALL.contains(64));
    /// ```
    pub const fn contains(self, bit: u8) -> bool {
        self.0 & CapSet::single(bit).0 != 0
    }

    /// Adds `bit` (`cap_raise` in include/linux/capability.h); true if it was not in the set before.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// let mut set = CapSet::EMPTY;
    /// assert!(set.insert(3));
    /// assert!(!set.insert(3));
    /// assert!(!set.insert(64));
    /// ```
    pub fn insert(&mut self, bit: u8) -> bool {
        let before = *self;
        *self = self.union(CapSet::single(bit));
        *self != before
    }

    /// Takes `bit` out (`cap_lower` in include/linux/capability.h); true if it was in the set before.
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// let mut set = CapSet::single(3);
    /// assert!(set.remove(3));
    /// assert!(!set.remove(3));
    /// ```
    pub fn remove(&mut self, bit: u8) -> bool {
        let before = *self;
        *self = self.difference(CapSet::single(bit));
        *self != before
    }

    /// What is in either set (`cap_combine` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::single(0).union(CapSet::single(1)).bits(), 0b11);
    /// ```
    #[must_use]
    #[inline(always)]
    pub const fn union(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    /// What is in both sets (`cap_intersect` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::KNOWN.intersection(CapSet::single(63)), CapSet::EMPTY);
    /// ```
    #[must_use]
    #[inline(always)]
    pub const fn intersection(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    /// What is in this set and not in the other (`cap_drop` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::from_bits(0b11).difference(CapSet::single(0)).bits(), 0b10);
    /// ```
    #[must_use]
    #[inline(always)]
    pub const fn difference(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// What is not in the set, of all 64 bits: what is to be blocked where this is to stay (cap_iab_fill(3)).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::EMPTY.complement(), CapSet::ALL);
    /// ```
    #[must_use]
    pub const fn complement(self) -> CapSet {
        CapSet(!self.0)
    }

    /// Whether every member is also in `other` (`cap_issubset` in include/linux/capability.h).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert!(CapSet::single(7).is_subset(CapSet::KNOWN));
    /// assert!(!CapSet::single(63).is_subset(CapSet::KNOWN));
    /// ```
    pub const fn is_subset(self, other: CapSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// The members, ascending: the bits set in its mask (`proc_pid_status(5)`).
    ///
    /// ```
    /// use linx_caps::CapSet;
    /// assert_eq!(CapSet::from_bits(0b1010).iter().collect::<Vec<_>>(), [1, 3]);
    /// ```
    pub const fn iter(self) -> Bits {
        Bits(self.0)
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CapSet({:#x})", self.0)
    }
}

impl FromIterator<u8> for CapSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bits: I) -> CapSet {
        bits.into_iter()
            .fold(CapSet::EMPTY, |set, bit| set.union(CapSet::single(bit)))
    }
}

impl IntoIterator for CapSet {
    type Item = u8;
    type IntoIter = Bits;

    fn into_iter(self) -> Bits {
        self.iter()
    }
}

/// The members of a [`CapSet`], from its lowest bit up or, reversed, from its highest down.
#[derive(Debug, Clone)]
pub struct Bits(u64);

impl Iterator for Bits {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let bit = self.0.trailing_zeros() as u8;
        if bit == 64 {
            return None;
        }
        self.0 &= self.0 - 1;
        Some(bit)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.0.count_ones() as usize;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<u8> {
        let bit = self.0.checked_ilog2()? as u8;
        self.0 &= !CapSet::single(bit).0;
        Some(bit)
    }
}

impl ExactSizeIterator for Bits {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn model(set: CapSet) -> BTreeSet<u8> {
        (0..64).filter(|bit| set.contains(*bit)).collect()
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a: u64, b: u64) {
            let (x, y) = (CapSet::from_bits(a), CapSet::from_bits(b));
            let (p, q) = (model(x), model(y));
            prop_assert_eq!(model(x.union(y)), &p | &q);
            prop_assert_eq!(model(x.intersection(y)), &p & &q);
            prop_assert_eq!(model(x.difference(y)), &p - &q);
            prop_assert_eq!(x.is_subset(y), p.is_subset(&q));
            prop_assert_eq!(x.len(), p.len());
        }

        #[test]
        fn iteration_visits_each_member_once_both_ways(bits: u64) {
            let set = CapSet::from_bits(bits);
            let up: Vec<u8> = set.iter().collect();
            let mut down: Vec<u8> = set.iter().rev().collect();
            down.reverse();
            prop_assert_eq!(&up, &model(set).into_iter().collect::<Vec<_>>());
            prop_assert_eq!(up, down);
            prop_assert_eq!(set.iter().collect::<CapSet>(), set);
        }

        #[test]
        fn insert_and_remove_tell_what_changed(bits: u64, bit: u8) {
            let before = CapSet::from_bits(bits);
            let (mut with, mut without) = (before, before);
            prop_assert_eq!(with.insert(bit), bit < 64 && !before.contains(bit));
            prop_assert_eq!(without.remove(bit), before.contains(bit));
            prop_assert_eq!(with.contains(bit), bit < 64);
            prop_assert!(!without.contains(bit));
        }
    }

    #[test]
    fn below_covers_every_limit() {
        for limit in 0..=u8::MAX {
            assert_eq!(CapSet::below(limit).len(), usize::from(limit.min(64)));
        }
    }
}
