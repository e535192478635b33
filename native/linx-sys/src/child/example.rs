// What the examples of this module begin with; no part of the crate.

use std::os::fd::AsFd;

use linx_caps::plan::Step;
use linx_sys::child::{Child, Launch, Launcher, Order, Plan, Report, Source, Stage};
use linx_sys::fd::{EpollEvent, EpollFlags, Poller};
use linx_sys::process::prepare_process;
use nix::errno::Errno;

/// Children are started from a process of one thread, which an example is, with every signal blocked.
fn launcher() -> Result<Launcher, Errno> {
    // What was handed down may be in the way.
    for number in 16..80 {
        let _ = nix::unistd::close(number);
    }
    Launcher::new(Launch::Clone, prepare_process()?)
}

/// The program `true`, parked before its execve unless it is to go on by itself.
fn plan(auto_proceed: bool) -> Plan {
    Plan {
        argv: vec![c"true".into()],
        env: [].into(),
        paths: vec![c"/bin/true".into(), c"/usr/bin/true".into()],
        cwd: None,
        stdio: [Source::Inherit, Source::Inherit, Source::Inherit],
        terminal: false,
        steps: vec![],
        auto_proceed,
        no_new_privs: false,
        dies_with_parent: true,
        subreaper: false,
        fresh: vec![],
        join: vec![],
        dumpable: false,
        file_limit: None,
    }
}

/// What the child tells next.
fn next(child: &mut Child) -> Result<Report, Errno> {
    loop {
        if let Some(report) = child.receive()? {
            return Ok(report);
        }
        std::thread::yield_now();
    }
}
