//! What the running kernel knows.

use once_cell::sync::OnceCell;

/// How many capabilities the running kernel has: the first number whose bounding bit it will not
/// tell (`PR_CAPBSET_READ` in `prctl(2)`). Asked once.
///
/// ```
/// let last: u8 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")?.trim().parse()?;
/// assert_eq!(linx_sys::kernel::max_bits(), last + 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn max_bits() -> u8 {
    static MAX_BITS: OnceCell<u8> = OnceCell::new();
    *MAX_BITS.get_or_init(|| (0..64).find(|bit| !knows(*bit)).unwrap_or(64))
}

fn knows(bit: u8) -> bool {
    // SAFETY: PR_CAPBSET_READ takes a number, touches no memory and changes nothing.
    unsafe { libc::prctl(libc::PR_CAPBSET_READ, libc::c_ulong::from(bit)) >= 0 }
}
