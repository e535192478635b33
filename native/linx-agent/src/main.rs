//! The port program of Linx. `docs/PROTOCOL.md` says how to speak to it.

use std::process::ExitCode;

use linx_agent::Service;
use linx_sys::child::Launch;
use linx_sys::{fd, process, tree};

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
    let result = fd::fill_standard().and_then(|()| {
        process::detach();
        let quiet = process::prepare_process()?;
        tree::become_subreaper()?;
        Service::new(quiet, launch, input, output)?.run()
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("linx-agent: {errno}");
            ExitCode::from(SYSTEM_ERROR)
        }
    }
}
