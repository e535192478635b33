//! The extended attribute `security.capability` (capabilities(7), "File capability extended
//! attribute versioning"; `struct vfs_ns_cap_data` in `linux/capability.h`).

use thiserror::Error;

use crate::capset::CapSet;
use crate::set::Caps;

const EFFECTIVE_FLAG: u32 = 1;

/// The format of the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Revision {
    /// 32 capabilities, 12 bytes; the kernel reads it but no longer takes it.
    V1,
    /// 64 capabilities, 20 bytes.
    V2,
    /// 64 capabilities and the root of a user namespace, 24 bytes.
    V3,
}

impl Revision {
    const fn size(self) -> usize {
        match self {
            Revision::V1 => 12,
            Revision::V2 => 20,
            Revision::V3 => 24,
        }
    }

    /// The number in the attribute's highest byte, 1 to 3 (`VFS_CAP_REVISION_MASK` in `linux/capability.h`).
    ///
    /// ```
    /// use linx_caps::xattr::Revision;
    /// assert_eq!(Revision::V2.number(), 2);
    /// ```
    pub const fn number(self) -> u8 {
        match self {
            Revision::V1 => 1,
            Revision::V2 => 2,
            Revision::V3 => 3,
        }
    }

    const fn from_number(number: u8) -> Option<Revision> {
        match number {
            1 => Some(Revision::V1),
            2 => Some(Revision::V2),
            3 => Some(Revision::V3),
            _ => None,
        }
    }
}

/// The capabilities of a file, as the kernel stores them: one effective bit for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileCaps {
    /// The format it is or was stored in.
    pub revision: Revision,
    /// What the program gets, bounding set permitting (fP).
    pub permitted: CapSet,
    /// What the program keeps of the process's inheritable set (fI).
    pub inheritable: CapSet,
    /// Whether what it gets is effective at once (fE).
    pub effective: bool,
    /// The uid that is root in the user namespace the capabilities are for; 0 in revisions 1 and 2.
    pub rootid: u32,
}

/// Why an attribute was refused, or cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XattrError {
    /// Fewer than the four bytes that name the revision.
    #[error("a capability attribute of {length} bytes is too short")]
    TooShort {
        /// How many bytes there are.
        length: usize,
    },
    /// A revision other than 1, 2 and 3.
    #[error("capability attribute of unknown revision {number}")]
    UnknownRevision {
        /// Its number.
        number: u8,
    },
    /// Another size than the revision has.
    #[error("a capability attribute of revision {} has {length} bytes", revision.number())]
    BadSize {
        /// The revision its first bytes name.
        revision: Revision,
        /// How many bytes there are.
        length: usize,
    },
    /// Flags beside the effective bit, which the kernel refuses.
    #[error("unknown capability attribute flags {flags:#x}")]
    UnknownFlags {
        /// The flags, the effective bit left out.
        flags: u32,
    },
    /// Some of the permitted and inheritable capabilities are effective and some are not; a file
    /// has one effective bit for all.
    #[error("the effective set of a file is empty or covers permitted and inheritable")]
    PartlyEffective,
    /// Revision 1 is not written: the kernel refuses it.
    #[error("revision 1 cannot be written")]
    WritesV1,
    /// Revision 2 has no place for a namespace's root.
    #[error("revision 2 cannot hold rootid {rootid}")]
    RootidInV2 {
        /// The rootid that has no place.
        rootid: u32,
    },
}

/// Reads an attribute of any revision (`struct vfs_ns_cap_data` in `linux/capability.h`; little-endian words).
///
/// # Errors
/// An unknown revision or flag, a wrong size.
///
/// ```
/// use linx_caps::xattr::{decode, Revision};
/// let caps = decode(&[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
/// assert_eq!((caps.revision, caps.effective), (Revision::V2, true));
/// assert_eq!(caps.permitted.bits(), 1 << 10);
/// # Ok::<(), linx_caps::xattr::XattrError>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<FileCaps, XattrError> {
    let length = bytes.len();
    let mut words = words(bytes);
    let magic = words.next().ok_or(XattrError::TooShort { length })?;
    let [_, _, _, number] = magic.to_le_bytes();
    let revision = Revision::from_number(number).ok_or(XattrError::UnknownRevision { number })?;
    if length != revision.size() {
        return Err(XattrError::BadSize { revision, length });
    }
    let flags = magic & 0x00ff_ffff & !EFFECTIVE_FLAG;
    if flags != 0 {
        return Err(XattrError::UnknownFlags { flags });
    }
    let mut word = || words.next().unwrap_or(0);
    let low = (word(), word());
    let high = if revision == Revision::V1 {
        (0, 0)
    } else {
        (word(), word())
    };
    Ok(FileCaps {
        revision,
        permitted: wide(low.0, high.0),
        inheritable: wide(low.1, high.1),
        effective: magic & EFFECTIVE_FLAG != 0,
        rootid: word(),
    })
}

/// Writes an attribute of revision 2 or 3 (`struct vfs_ns_cap_data` in `linux/capability.h`; little-endian words).
///
/// # Errors
/// Revision 1; a rootid in revision 2.
///
/// ```
/// use linx_caps::xattr::{decode, encode, FileCaps, Revision};
/// use linx_caps::CapSet;
/// let caps = FileCaps {
///     revision: Revision::V3,
///     permitted: CapSet::single(10),
///     inheritable: CapSet::EMPTY,
///     effective: true,
///     rootid: 1000,
/// };
/// assert_eq!(decode(&encode(&caps)?)?, caps);
/// # Ok::<(), linx_caps::xattr::XattrError>(())
/// ```
pub fn encode(caps: &FileCaps) -> Result<Vec<u8>, XattrError> {
    let rootid = match (caps.revision, caps.rootid) {
        (Revision::V1, _) => return Err(XattrError::WritesV1),
        (Revision::V2, 0) => None,
        (Revision::V2, rootid) => return Err(XattrError::RootidInV2 { rootid }),
        (Revision::V3, rootid) => Some(rootid),
    };
    let magic = u32::from(caps.revision.number()) << 24 | u32::from(caps.effective);
    let (permitted, inheritable) = (caps.permitted.bits(), caps.inheritable.bits());
    let pairs = [permitted, inheritable, permitted >> 32, inheritable >> 32];
    let words = std::iter::once(magic)
        .chain(pairs.map(|word| word as u32))
        .chain(rootid);
    Ok(words.flat_map(u32::to_le_bytes).collect())
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok().map(u32::from_le_bytes))
}

const fn wide(low: u32, high: u32) -> CapSet {
    CapSet::from_bits((high as u64) << 32 | low as u64)
}

impl FileCaps {
    /// The triple of a file, as cap_get_file(3) gives it: the effective bit stands for all
    /// permitted and inheritable capabilities.
    ///
    /// ```
    /// use linx_caps::xattr::FileCaps;
    /// use linx_caps::{set::Caps, CapSet};
    /// let set = CapSet::single(10);
    /// let caps = Caps { permitted: set, effective: set, ..Caps::new() };
    /// assert_eq!(FileCaps::from_caps(&caps)?.to_caps(), caps);
    /// # Ok::<(), linx_caps::xattr::XattrError>(())
    /// ```
    pub fn to_caps(&self) -> Caps {
        let effective = if self.effective {
            self.permitted.union(self.inheritable)
        } else {
            CapSet::EMPTY
        };
        Caps {
            effective,
            permitted: self.permitted,
            inheritable: self.inheritable,
            ns_owner: self.rootid,
        }
    }

    /// What cap_set_file(3) would store for a triple: revision 3 if it has a namespace owner,
    /// else 2.
    ///
    /// # Errors
    /// [`XattrError::PartlyEffective`] unless the effective set is empty or covers the others.
    ///
    /// ```
    /// use linx_caps::{set::Caps, xattr::{FileCaps, XattrError}, CapSet};
    /// let caps = Caps { permitted: CapSet::from_bits(3), effective: CapSet::single(0), ..Caps::new() };
    /// assert_eq!(FileCaps::from_caps(&caps), Err(XattrError::PartlyEffective));
    /// ```
    pub fn from_caps(caps: &Caps) -> Result<FileCaps, XattrError> {
        let held = caps.permitted.union(caps.inheritable);
        let effective = !caps.effective.is_empty();
        if effective && !held.is_subset(caps.effective) {
            return Err(XattrError::PartlyEffective);
        }
        Ok(FileCaps {
            revision: if caps.ns_owner == 0 {
                Revision::V2
            } else {
                Revision::V3
            },
            permitted: caps.permitted,
            inheritable: caps.inheritable,
            effective,
            rootid: caps.ns_owner,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(magic: u32, words: &[u32]) -> Vec<u8> {
        std::iter::once(&magic)
            .chain(words)
            .flat_map(|word| word.to_le_bytes())
            .collect()
    }

    #[test]
    fn each_revision_reads() {
        let v1 = decode(&attribute(0x0100_0001, &[1, 2])).unwrap();
        assert_eq!((v1.permitted.bits(), v1.inheritable.bits()), (1, 2));
        assert!(v1.effective);
        let v2 = decode(&attribute(0x0200_0000, &[1, 2, 3, 4])).unwrap();
        assert_eq!(
            (v2.permitted.bits(), v2.inheritable.bits()),
            (3 << 32 | 1, 4 << 32 | 2)
        );
        assert_eq!((v2.effective, v2.rootid), (false, 0));
        let v3 = decode(&attribute(0x0300_0000, &[1, 2, 3, 4, 100_000])).unwrap();
        assert_eq!((v3.revision, v3.rootid), (Revision::V3, 100_000));
    }

    #[test]
    fn each_refusal_of_a_read() {
        let cases = [
            (vec![], XattrError::TooShort { length: 0 }),
            (vec![0, 0, 2], XattrError::TooShort { length: 3 }),
            (
                attribute(0x0400_0000, &[0; 4]),
                XattrError::UnknownRevision { number: 4 },
            ),
            (
                attribute(0x0200_0000, &[0; 5]),
                XattrError::BadSize {
                    revision: Revision::V2,
                    length: 24,
                },
            ),
            (
                attribute(0x0300_0000, &[0; 4]),
                XattrError::BadSize {
                    revision: Revision::V3,
                    length: 20,
                },
            ),
            (
                attribute(0x0200_0003, &[0; 4]),
                XattrError::UnknownFlags { flags: 2 },
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(decode(&bytes), Err(error));
        }
    }

    #[test]
    fn each_refusal_of_a_write() {
        let caps = FileCaps::from_caps(&Caps::new()).unwrap();
        let v1 = FileCaps {
            revision: Revision::V1,
            ..caps
        };
        assert_eq!(encode(&v1), Err(XattrError::WritesV1));
        let rootid = 1;
        assert_eq!(
            encode(&FileCaps { rootid, ..caps }),
            Err(XattrError::RootidInV2 { rootid })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(p: u64, i: u64, effective: bool, v3: bool, rootid: u32) {
            let caps = FileCaps {
                revision: if v3 { Revision::V3 } else { Revision::V2 },
                permitted: CapSet::from_bits(p),
                inheritable: CapSet::from_bits(i),
                effective,
                rootid: if v3 { rootid } else { 0 },
            };
            prop_assert_eq!(decode(&encode(&caps).unwrap()), Ok(caps));
            if !effective || p | i != 0 {
                prop_assert_eq!(FileCaps::from_caps(&caps.to_caps()).unwrap().to_caps(), caps.to_caps());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..30), revision in 0u8..5) {
            let _ = decode(&bytes);
            let mut near = bytes;
            near.splice(0..near.len().min(4), [1, 0, 0, revision]);
            let _ = decode(&near);
        }
    }
}
