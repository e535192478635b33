//! launcher-caps BATCHES WIDTH PROGRAM: starts PROGRAM with `std::process` and the crate `caps`, left
//! cap_net_bind_service alone, WIDTH at once, and waits for the end. Prints the nanoseconds of each batch.

use std::collections::HashSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Instant;

use caps::{CapSet, Capability, CapsHashSet};

const WARM_UP: usize = 3;
const KEPT: Capability = Capability::CAP_NET_BIND_SERVICE;

fn confine(bounding: &CapsHashSet) -> io::Result<()> {
    let kept = HashSet::from([KEPT]);
    bounding
        .iter()
        .filter(|cap| **cap != KEPT)
        .try_for_each(|cap| caps::drop(None, CapSet::Bounding, *cap))
        .and_then(|()| caps::clear(None, CapSet::Inheritable))
        .and_then(|()| caps::set(None, CapSet::Effective, &kept))
        .and_then(|()| caps::set(None, CapSet::Permitted, &kept))
        .map_err(io::Error::other)
}

fn start(program: &str, bounding: &CapsHashSet) -> io::Result<Child> {
    let bounding = bounding.clone();
    let mut command = Command::new(program);
    // SAFETY: this program has one thread, so the child may allocate and take locks.
    unsafe { command.pre_exec(move || confine(&bounding)) };
    command.spawn()
}

fn batch(width: usize, program: &str, bounding: &CapsHashSet) -> io::Result<()> {
    let children: io::Result<Vec<Child>> = (0..width).map(|_| start(program, bounding)).collect();
    for mut child in children? {
        let status = child.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("{program}: {status}")));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [batches, width, program] = arguments.as_slice() else {
        return Err("usage: launcher-caps BATCHES WIDTH PROGRAM".into());
    };
    let (batches, width): (usize, usize) = (batches.parse()?, width.parse()?);
    let bounding = caps::read(None, CapSet::Bounding)?;
    batch(WARM_UP, program, &bounding)?;
    for _ in 0..batches {
        let began = Instant::now();
        batch(width, program, &bounding)?;
        println!("{}", began.elapsed().as_nanos());
    }
    Ok(())
}
