//! What a spawn frame asks for.

use std::time::Duration;

use linx_sys::child::Namespace;
use linx_sys::fd::Size;

use super::etf::Term;
use super::namespaces::{self, Namespaces};
use super::value::{self, BadArgument, Decoded};
use super::verb::Verb;

const DEFAULT_WINDOW: u64 = 256 * 1024;
const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// A spawn frame's spec with every default filled in. No string holds a zero byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnSpec<'a> {
    /// The command, at least its name.
    pub argv: Vec<&'a [u8]>,
    /// The program, where it is not `argv`'s first element.
    pub path: Option<&'a [u8]>,
    /// The whole environment, each entry `NAME=VALUE`; `None` is the agent's own.
    pub env: Option<Vec<&'a [u8]>>,
    /// The working directory; `None` is the agent's own.
    pub cwd: Option<&'a [u8]>,
    /// Descriptors 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// The size of a pty.
    pub winsize: Size,
    /// Verbs to apply before `ready`.
    pub verbs: Vec<Verb<'a>>,
    /// Whether to exec without waiting for a proceed frame.
    pub proceed: bool,
    /// Whether to set `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// What becomes of a running workload that nobody listens to any more.
    pub orphan: OrphanPolicy,
    /// Whether its descendants end with the workload.
    pub kill_tree: bool,
    /// Bytes of output that may be on their way unacknowledged; never 0.
    pub window: u64,
    /// The namespaces to create, or to join when there is an `enter`.
    pub namespaces: Namespaces,
    /// The process whose namespaces to join; positive.
    pub enter: Option<i32>,
}

/// Where descriptors 0, 1 and 2 lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio<'a> {
    /// All three to a new pseudo-terminal.
    Pty,
    /// Each its own way.
    Each {
        /// Descriptor 0.
        stdin: Channel<'a>,
        /// Descriptor 1.
        stdout: Channel<'a>,
        /// Descriptor 2.
        stderr: Stderr<'a>,
    },
}

/// Where one descriptor leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel<'a> {
    /// To the agent's own.
    Inherit,
    /// To `/dev/null`.
    Devnull,
    /// To a pipe that the agent serves.
    Pipe,
    /// To the file at this path.
    File(&'a [u8]),
    /// To the Unix socket at this path.
    ConnectUnix(&'a [u8]),
}

/// Where descriptor 2 leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr<'a> {
    /// To where stdout leads.
    Stdout,
    /// Its own way.
    Channel(Channel<'a>),
}

/// What becomes of a running workload that nobody listens to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanPolicy {
    /// SIGTERM, and SIGKILL after this long.
    Kill(Duration),
    /// It is left alone.
    Linger,
}

impl<'a> SpawnSpec<'a> {
    pub(super) fn decode(term: Term<'a>) -> Decoded<Self> {
        let Term::Map(mut pairs) = term else {
            return Err(BadArgument);
        };
        let mut given = Given::default();
        while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
            let Term::Atom(key) = key? else {
                return Err(BadArgument);
            };
            given.put(key, value?)?;
        }
        given.complete()
    }
}

/// The keys a spec named, each at most once.
#[derive(Default)]
struct Given<'a> {
    argv: Option<Vec<&'a [u8]>>,
    path: Option<&'a [u8]>,
    env: Option<Vec<&'a [u8]>>,
    cwd: Option<&'a [u8]>,
    stdio: Option<Stdio<'a>>,
    winsize: Option<Size>,
    verbs: Option<Vec<Verb<'a>>>,
    proceed: Option<bool>,
    no_new_privs: Option<bool>,
    orphan: Option<OrphanPolicy>,
    kill_tree: Option<bool>,
    window: Option<u64>,
    namespaces: Option<Namespaces>,
    enter: Option<i32>,
}

impl<'a> Given<'a> {
    fn put(&mut self, key: &[u8], term: Term<'a>) -> Decoded<()> {
        match key {
            b"argv" => once(&mut self.argv, value::list(term, value::text)),
            b"path" => once(&mut self.path, value::text(term)),
            b"env" => once(&mut self.env, value::list(term, value::env_entry)),
            b"cwd" => once(&mut self.cwd, value::text(term)),
            b"stdio" => once(&mut self.stdio, stdio(term)),
            b"winsize" => once(&mut self.winsize, value::size(term)),
            b"verbs" => once(&mut self.verbs, value::list(term, Verb::decode)),
            b"proceed" => once(&mut self.proceed, value::boolean(term)),
            b"no_new_privs" => once(&mut self.no_new_privs, value::boolean(term)),
            b"orphan" => once(&mut self.orphan, orphan(term)),
            b"kill_tree" => once(&mut self.kill_tree, value::boolean(term)),
            b"window" => once(
                &mut self.window,
                value::integer_where(term, |bytes| *bytes > 0),
            ),
            b"namespaces" => once(&mut self.namespaces, value::list(term, namespace)),
            b"enter" => once(&mut self.enter, value::pid(term)),
            _ => Err(BadArgument),
        }
    }

    fn complete(self) -> Decoded<SpawnSpec<'a>> {
        let argv = self
            .argv
            .filter(|argv| !argv.is_empty())
            .ok_or(BadArgument)?;
        let namespaces = match self.enter {
            Some(_) => Namespaces::ALL,
            None => Namespaces::default(),
        };
        Ok(SpawnSpec {
            argv,
            path: self.path,
            env: self.env,
            cwd: self.cwd,
            stdio: self.stdio.unwrap_or(Stdio::INHERIT),
            winsize: self.winsize.unwrap_or_default(),
            verbs: self.verbs.unwrap_or_default(),
            proceed: self.proceed.unwrap_or(false),
            no_new_privs: self.no_new_privs.unwrap_or(false),
            orphan: self.orphan.unwrap_or(OrphanPolicy::Kill(DEFAULT_GRACE)),
            kill_tree: self.kill_tree.unwrap_or(true),
            window: self.window.unwrap_or(DEFAULT_WINDOW),
            namespaces: self.namespaces.unwrap_or(namespaces),
            enter: self.enter,
        })
    }
}

/// Fills an empty slot; a key that comes twice is an error.
fn once<T>(slot: &mut Option<T>, value: Decoded<T>) -> Decoded<()> {
    match slot.replace(value?) {
        None => Ok(()),
        Some(_) => Err(BadArgument),
    }
}

impl Stdio<'_> {
    const INHERIT: Self = Self::Each {
        stdin: Channel::Inherit,
        stdout: Channel::Inherit,
        stderr: Stderr::Channel(Channel::Inherit),
    };
}

fn stdio(term: Term<'_>) -> Decoded<Stdio<'_>> {
    if let Term::Atom(b"pty") = term {
        return Ok(Stdio::Pty);
    }
    let [stdin, stdout, stderr] = value::tuple(term)?;
    Ok(Stdio::Each {
        stdin: channel(stdin)?,
        stdout: channel(stdout)?,
        stderr: match stderr {
            Term::Atom(b"stdout") => Stderr::Stdout,
            own => Stderr::Channel(channel(own)?),
        },
    })
}

fn channel(term: Term<'_>) -> Decoded<Channel<'_>> {
    match term {
        Term::Atom(b"inherit") => return Ok(Channel::Inherit),
        Term::Atom(b"devnull") => return Ok(Channel::Devnull),
        Term::Atom(b"pipe") => return Ok(Channel::Pipe),
        _ => (),
    }
    let (kind, rest) = value::tagged(term)?;
    let [path] = value::exact(rest)?;
    match kind {
        b"file" => value::text(path).map(Channel::File),
        b"connect_unix" => value::text(path).map(Channel::ConnectUnix),
        _ => Err(BadArgument),
    }
}

fn orphan(term: Term<'_>) -> Decoded<OrphanPolicy> {
    if let Term::Atom(b"linger") = term {
        return Ok(OrphanPolicy::Linger);
    }
    let (name, rest) = value::tagged(term)?;
    let [grace] = value::exact(rest)?;
    match name {
        b"kill" => value::milliseconds(grace).map(OrphanPolicy::Kill),
        _ => Err(BadArgument),
    }
}

fn namespace(term: Term<'_>) -> Decoded<Namespace> {
    match term {
        Term::Atom(name) => namespaces::from_name(name).ok_or(BadArgument),
        _ => Err(BadArgument),
    }
}
