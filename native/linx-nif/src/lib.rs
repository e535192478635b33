//! The NIF behind `Linx.Native`: terms in, `linx-caps` and `linx-sys`, terms out.
//!
//! Functions run on a normal scheduler: reading a status file takes some ten microseconds, texts are
//! bounded, and lists are taken in slices. What a file system can delay runs on a dirty one.
//!
//! A panic becomes the exception `nif_panicked`: rustler catches it, which needs the profile's
//! `panic = "unwind"` (the default).

mod caps;
mod environment;
mod execve;
mod file;
mod iab;
mod mode;
mod plan;
mod process;
mod securebits;
mod set;
mod status;
mod text;

use rustler::{Env, Term};

mod atoms {
    rustler::atoms! {
        ok,
        error,
        more,
        bad_capability,
        bad_status,
        improper_list,
    }
}

rustler::init!("Elixir.Linx.Native", load = load);

fn load(env: Env<'_>, _info: Term<'_>) -> bool {
    caps::intern(env).is_ok() && mode::intern(env).is_ok() && securebits::intern(env).is_ok()
}
