//! From what a client asks for to what a child is to do.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use linx_caps::plan::{Privilege, Step};
use linx_caps::CapSet;
use linx_sys::child::{Namespace, Plan, Source, Stage};
use linx_sys::{fd, kernel};
use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::streams::{Input, Output, Streams};
use crate::verbs;
use crate::wire::{Channel, OrphanPolicy, SpawnSpec, Stderr, Stdio, Stream, Verb};

/// A launch that failed before there was a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} failed: {errno}", stage.name())]
pub struct StartError {
    pub stage: Stage,
    pub errno: Errno,
}

/// Names the stage at which a system call failed.
pub fn at(stage: Stage) -> impl Fn(Errno) -> StartError {
    move |errno| StartError { stage, errno }
}

/// What children have from the agent itself.
pub struct Heritage {
    pub env: Arc<[CString]>,
    pub bounding: CapSet,
    pub effective: CapSet,
    pub file_limit: Option<nix::libc::rlimit64>,
}

impl Heritage {
    fn may(&self, privilege: Privilege) -> bool {
        self.effective.contains(privilege.needs())
    }
}

/// As `execvp(3)` has it for an environment without one.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The process's own environment.
pub fn own_env() -> Arc<[CString]> {
    let entry = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let bytes = [name.into_vec(), value.into_vec()].join(&b'=');
        CString::new(bytes).ok()
    };
    std::env::vars_os().filter_map(entry).collect()
}

/// What the bounding set of a child of this spec is within when it starts.
pub fn initial_bounding(spec: &SpawnSpec<'_>, heritage: &Heritage) -> CapSet {
    let known = CapSet::below(kernel::max_bits());
    if spec.namespaces.contains(Namespace::User) {
        known
    } else {
        heritage.bounding.intersection(known)
    }
}

/// Opens what the spec asks for and lays down the child's plan.
pub fn prepare(
    spec: SpawnSpec<'_>,
    heritage: &Heritage,
    bounding: &mut CapSet,
) -> Result<(Plan, Streams), StartError> {
    let env = match &spec.env {
        Some(entries) => strings(entries)?.into(),
        None => heritage.env.clone(),
    };
    let argv = strings(&spec.argv)?;
    let program = spec.path.or(spec.argv.first().copied());
    let paths = candidates(program.unwrap_or_default(), &env)?;
    let cwd = spec.cwd.map(string).transpose()?;
    let (stdio, streams) = open_stdio(&spec)?;
    let (fresh, join) = namespaces(&spec, heritage)?;
    let privileged = heritage.may(Privilege::Namespaces);
    let plan = Plan {
        argv,
        env,
        paths,
        cwd,
        stdio,
        terminal: spec.stdio == Stdio::Pty,
        steps: all_steps(spec.verbs, bounding)?,
        auto_proceed: spec.proceed,
        no_new_privs: spec.no_new_privs,
        subreaper: spec.kill_tree,
        dies_with_parent: spec.orphan != OrphanPolicy::Linger,
        dumpable: fresh.contains(&Namespace::User) && !privileged,
        fresh,
        join,
        file_limit: heritage.file_limit,
    };
    Ok((plan, streams))
}

fn all_steps(
    asked: Vec<Verb<'_>>,
    bounding: &mut CapSet,
) -> Result<Vec<(Step, Stage)>, StartError> {
    let mut all = Vec::with_capacity(asked.len());
    for verb in asked {
        let (stage, steps) = verbs::steps(verb, bounding).map_err(at(Stage::Protocol))?;
        all.extend(steps.into_iter().map(|step| (step, stage)));
    }
    Ok(all)
}

/// The frame's decoder has refused zero bytes already; should one come, it is no string.
fn string(bytes: &[u8]) -> Result<CString, StartError> {
    CString::new(bytes).map_err(|_| at(Stage::Protocol)(Errno::EINVAL))
}

fn strings(list: &[&[u8]]) -> Result<Vec<CString>, StartError> {
    list.iter().map(|bytes| string(bytes)).collect()
}

/// The paths to try for a program's name, as `execvp(3)` has it: an empty element of PATH is the working directory.
fn candidates(name: &[u8], env: &[CString]) -> Result<Vec<CString>, StartError> {
    if name.is_empty() || name.contains(&b'/') {
        return Ok(vec![string(name)?]);
    }
    let path = env
        .iter()
        .find_map(|entry| entry.to_bytes().strip_prefix(b"PATH="));
    let in_dir = |dir: &[u8]| {
        let dir = if dir.is_empty() { b".".as_slice() } else { dir };
        string(&[dir, name].join(&b'/'))
    };
    path.unwrap_or(DEFAULT_PATH)
        .split(|byte| *byte == b':')
        .map(in_dir)
        .collect()
}

/// Namespaces to make and namespaces to join, the latter in the order that works: whoever has power here joins
/// the user namespace last, since that is where the power ends; whoever has none joins it first, to get some.
#[allow(clippy::type_complexity)]
fn namespaces(
    spec: &SpawnSpec<'_>,
    heritage: &Heritage,
) -> Result<(Vec<Namespace>, Vec<(Namespace, OwnedFd)>), StartError> {
    let asked = Namespace::ALL
        .into_iter()
        .filter(|ns| spec.namespaces.contains(*ns));
    let Some(pid) = spec.enter else {
        return Ok((asked.collect(), Vec::new()));
    };
    let mut join = Vec::new();
    for ns in asked {
        if let Some(fd) = fd::open_namespace(pid, ns).map_err(at(Stage::OpenNs(ns)))? {
            join.push((ns, fd));
        }
    }
    if heritage.may(Privilege::Namespaces) {
        join.sort_by_key(|(ns, _)| *ns == Namespace::User);
    }
    Ok((Vec::new(), join))
}

fn open_stdio(spec: &SpawnSpec<'_>) -> Result<([Source; 3], Streams), StartError> {
    let (sources, outputs, input) = match spec.stdio {
        Stdio::Pty => open_terminal(spec.winsize).map_err(at(Stage::Pty))?,
        Stdio::Each {
            stdin,
            stdout,
            stderr,
        } => {
            let (stdin, input) = open_input(stdin)?;
            let (stdout, out) = open_output(stdout, Stream::Stdout)?;
            let (stderr, err) = match stderr {
                Stderr::Stdout => (Source::Same(1), None),
                Stderr::Channel(channel) => open_output(channel, Stream::Stderr)?,
            };
            ([stdin, stdout, stderr], [out, err], input)
        }
    };
    let terminal = spec.stdio == Stdio::Pty;
    Ok((
        sources,
        Streams {
            outputs,
            input,
            terminal,
            credit: spec.window,
        },
    ))
}

type Opened = ([Source; 3], [Option<Output>; 2], Option<Input>);

fn open_terminal(size: fd::Size) -> Result<Opened, Errno> {
    let (master, slave) = fd::open_pty(size)?;
    let input = Input::new(master.try_clone().map_err(|_| Errno::EMFILE)?)?;
    let output = Output::new(master, Stream::Pty)?;
    let sources = [Source::Fd(slave), Source::Same(0), Source::Same(0)];
    Ok((sources, [Some(output), None], Some(input)))
}

fn open_input(channel: Channel<'_>) -> Result<(Source, Option<Input>), StartError> {
    let Channel::Pipe = channel else {
        return Ok((source(channel, OFlag::O_RDONLY)?, None));
    };
    let (read, write) = fd::pipe().map_err(at(Stage::Stdio))?;
    let input = Input::new(write).map_err(at(Stage::Stdio))?;
    Ok((Source::Fd(read), Some(input)))
}

fn open_output(
    channel: Channel<'_>,
    stream: Stream,
) -> Result<(Source, Option<Output>), StartError> {
    let Channel::Pipe = channel else {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND;
        return Ok((source(channel, flags)?, None));
    };
    let (read, write) = fd::pipe().map_err(at(Stage::Stdio))?;
    let output = Output::new(read, stream).map_err(at(Stage::Stdio))?;
    Ok((Source::Fd(write), Some(output)))
}

/// A source that is no pipe of ours. Files are opened by the child, since opening one may take for ever.
fn source(channel: Channel<'_>, flags: OFlag) -> Result<Source, StartError> {
    Ok(match channel {
        Channel::Inherit | Channel::Pipe => Source::Inherit,
        Channel::Devnull => Source::Open(c"/dev/null".to_owned(), OFlag::O_RDWR.bits()),
        Channel::File(path) => Source::Open(string(path)?, (flags | OFlag::O_NOCTTY).bits()),
        Channel::ConnectUnix(path) => {
            let socket = fd::connect_unix(&string(path)?).map_err(at(Stage::ConnectUnix))?;
            Source::Fd(socket)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn texts(paths: Vec<CString>) -> Vec<String> {
        paths
            .iter()
            .map(|p| OsStr::from_bytes(p.to_bytes()).to_string_lossy().into())
            .collect()
    }

    #[test]
    fn a_name_is_looked_up_in_the_workloads_own_path() {
        let env = vec![c"A=1".to_owned(), c"PATH=/x::/y/z".to_owned()];
        let found = candidates(b"prog", &env).map(texts);
        assert_eq!(
            found,
            Ok(vec!["/x/prog".into(), "./prog".into(), "/y/z/prog".into()])
        );
        let found = candidates(b"prog", &[]).map(texts);
        assert_eq!(found, Ok(vec!["/bin/prog".into(), "/usr/bin/prog".into()]));
    }

    #[test]
    fn a_name_with_a_slash_is_used_as_it_is() {
        assert_eq!(
            candidates(b"./prog", &[]).map(texts),
            Ok(vec!["./prog".into()])
        );
    }
}
