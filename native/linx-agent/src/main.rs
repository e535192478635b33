//! The port program of Linx. `docs/PROTOCOL.md` says how to speak to it.

mod agent;
mod host;
mod port;
mod session;
mod startup;
mod strays;
mod streams;
mod timers;
mod verbs;
mod wire;

use std::process::ExitCode;

use linx_caps::set::Caps;
use linx_caps::CapSet;
use linx_sys::child::Launch;
use linx_sys::{fd, process, status, tree};
use nix::errno::Errno;

use agent::Agent;
use port::{Inbox, Outbox};
use startup::Heritage;

const USAGE: &str =
    "linx-agent: a port program; start it from Erlang or Elixir as docs/PROTOCOL.md says
usage: linx-agent [--launch clone|fork]
       linx-agent --version";

/// `EX_USAGE`, `sysexits.h`.
const BAD_USAGE: u8 = 64;
/// `EX_OSERR`, `sysexits.h`.
const SYSTEM_ERROR: u8 = 71;

/// What the command line asks for.
enum Request {
    Serve(Launch),
    Version,
    Usage,
}

fn main() -> ExitCode {
    match request() {
        Request::Version => {
            println!("linx-agent {} protocol 1", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Request::Usage => {
            eprintln!("{USAGE}");
            ExitCode::from(BAD_USAGE)
        }
        Request::Serve(launch) => serve(launch),
    }
}

fn request() -> Request {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] | ["--launch", "clone"] => Request::Serve(Launch::Clone),
        ["--launch", "fork"] => Request::Serve(Launch::Fork),
        ["--version"] => Request::Version,
        _ => Request::Usage,
    }
}

fn serve(launch: Launch) -> ExitCode {
    let (Ok(input), Ok(output)) = (fd::claim(3), fd::claim(4)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(BAD_USAGE);
    };
    let result = Inbox::new(input).and_then(|inbox| {
        fd::fill_standard()?;
        process::detach();
        let quiet = process::prepare_process()?;
        tree::become_subreaper()?;
        let outbox = Outbox::new(output)?;
        Agent::new(quiet, launch, outbox, heritage()?)?.run(inbox, launch)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("linx-agent: {errno}");
            ExitCode::from(SYSTEM_ERROR)
        }
    }
}

/// What children have from this process.
fn heritage() -> Result<Heritage, Errno> {
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
