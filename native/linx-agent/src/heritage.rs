//! What this process hands down to its children.

use linx_caps::set::Caps;
use linx_caps::CapSet;
use linx_sys::{process, status};
use nix::errno::Errno;

use crate::startup::{self, Heritage};

/// What children have from this process. Sheds what they should not have.
pub fn own() -> Result<Heritage, Errno> {
    let path = std::path::Path::new("/proc/self/status");
    let sets = status::read(path, linx_caps::status::parse_caps)
        .ok()
        .and_then(Result::ok);
    let (effective, bounding) = match sets {
        Some(sets) => {
            shed_inheritable(&sets)?;
            (sets.effective, sets.bounding)
        }
        // Without procfs: assume nothing dropped, and no power.
        None => (CapSet::EMPTY, CapSet::ALL),
    };
    let file_limit = process::raise_file_limit()?;
    Ok(Heritage {
        env: startup::own_env(),
        bounding,
        effective,
        file_limit,
    })
}

/// Keeps of the inheritable set what the ambient one needs, so that a workload gets nothing it did not ask for.
fn shed_inheritable(sets: &linx_caps::State) -> Result<(), Errno> {
    let inheritable = sets.needed_inheritable();
    if inheritable == sets.inheritable {
        return Ok(());
    }
    process::set_caps(Caps {
        effective: sets.effective,
        permitted: sets.permitted,
        inheritable,
        ns_owner: 0,
    })
}
