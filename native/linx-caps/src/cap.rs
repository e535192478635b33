//! Capability names and bits.

use crate::table::{bit_of, NAMES};

/// The names of capabilities(7), and the bits the rules of this crate speak of.
///
/// A capability itself is a bit number, `u8`: the kernel may report bits that have no name yet.
///
/// ```
/// use linx_caps::Cap;
/// assert_eq!(Cap::name(12), Some("cap_net_admin"));
/// assert_eq!(Cap::from_name("cap_net_admin"), Some(12));
/// assert_eq!(Cap::SETPCAP, 8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {}

impl Cap {
    /// `cap_setgid`: groups may be changed at will.
    pub const SETGID: u8 = bit_of("cap_setgid");
    /// `cap_setuid`: user ids may be changed at will.
    pub const SETUID: u8 = bit_of("cap_setuid");
    /// `cap_setpcap`: bounding drops, inheritable raises, securebits.
    pub const SETPCAP: u8 = bit_of("cap_setpcap");
    /// `cap_sys_chroot`: the root directory may be changed.
    pub const SYS_CHROOT: u8 = bit_of("cap_sys_chroot");
    /// `cap_sys_ptrace`: a tracer that holds it does not cost its tracee privilege at `execve`.
    pub const SYS_PTRACE: u8 = bit_of("cap_sys_ptrace");
    /// `cap_sys_admin`: among much else, namespaces may be made and joined.
    pub const SYS_ADMIN: u8 = bit_of("cap_sys_admin");
    /// `cap_setfcap`: files may be given capabilities.
    pub const SETFCAP: u8 = bit_of("cap_setfcap");

    /// The name of a bit, lower case with its `cap_` prefix; `None` for a bit without a name
    /// (include/uapi/linux/capability.h; `cap_to_name(3)`).
    ///
    /// ```
    /// use linx_caps::Cap;
    /// assert_eq!(Cap::name(0), Some("cap_chown"));
    /// assert_eq!(Cap::name(63), None);
    /// ```
    pub fn name(bit: u8) -> Option<&'static str> {
        NAMES.get(usize::from(bit)).copied()
    }

    /// The bit of a name, which must be exact: lower case, prefix included, as `cap_to_name(3)` prints it.
    ///
    /// ```
    /// use linx_caps::Cap;
    /// assert_eq!(Cap::from_name("cap_checkpoint_restore"), Some(40));
    /// assert_eq!(Cap::from_name("CAP_CHOWN"), None);
    /// assert_eq!(Cap::from_name("chown"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<u8> {
        Self::names()
            .find(|(_, known)| *known == name)
            .map(|(bit, _)| bit)
    }

    /// Every bit with its name, ascending: those of include/uapi/linux/capability.h.
    ///
    /// ```
    /// use linx_caps::{Cap, NAMED_COUNT};
    /// assert_eq!(Cap::names().next(), Some((0, "cap_chown")));
    /// assert_eq!(Cap::names().count(), usize::from(NAMED_COUNT));
    /// ```
    pub fn names() -> impl Iterator<Item = (u8, &'static str)> {
        (0..).zip(NAMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{KNOWN_MASK, NAMED_COUNT};

    #[test]
    fn every_name_leads_to_its_bit_and_back() {
        for (bit, name) in Cap::names() {
            assert!(name.starts_with("cap_"), "{name}");
            assert_eq!(Cap::from_name(name), Some(bit));
            assert_eq!(Cap::name(bit), Some(name));
        }
    }

    #[test]
    fn the_table_ends_where_the_mask_ends() {
        assert_eq!(Cap::name(NAMED_COUNT), None);
        assert_eq!(KNOWN_MASK.count_ones(), u32::from(NAMED_COUNT));
        assert_eq!(KNOWN_MASK.trailing_ones(), u32::from(NAMED_COUNT));
    }

    #[test]
    fn landmarks_of_the_kernel_header() {
        assert_eq!(Cap::from_name("cap_setpcap"), Some(8));
        assert_eq!(Cap::from_name("cap_sys_admin"), Some(21));
        assert_eq!(Cap::from_name("cap_setfcap"), Some(31));
        assert_eq!(Cap::from_name("cap_checkpoint_restore"), Some(40));
    }

    #[test]
    fn near_misses_have_no_bit() {
        for name in ["", "cap_", "chown", "CAP_CHOWN", "cap_chown ", "cap_chownx"] {
            assert_eq!(Cap::from_name(name), None, "{name:?}");
        }
    }
}
