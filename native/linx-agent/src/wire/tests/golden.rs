//! Against what Erlang wrote: see `tests/golden/generate.escript`.

use std::time::Duration;

use linx_caps::mode::Mode;
use linx_sys::child::Namespace;
use linx_sys::fd::Size;

use super::{commands, events};
use crate::wire::{
    decode, output_prefix, Channel, Command, Event, OrphanPolicy, Reason, SpawnSpec, Stderr, Stdio,
    Stream, Verb,
};

fn spec<'a>(argv: &[&'a str]) -> SpawnSpec<'a> {
    let inherit = Channel::Inherit;
    SpawnSpec {
        argv: argv.iter().map(|argument| argument.as_bytes()).collect(),
        path: None,
        env: None,
        cwd: None,
        stdio: Stdio::Each {
            stdin: inherit,
            stdout: inherit,
            stderr: Stderr::Channel(inherit),
        },
        winsize: Size {
            rows: 0,
            cols: 0,
            xpixel: 0,
            ypixel: 0,
        },
        verbs: vec![],
        proceed: false,
        no_new_privs: false,
        orphan: OrphanPolicy::Kill(Duration::from_millis(5000)),
        kill_tree: true,
        window: 262144,
        namespaces: [].into_iter().collect(),
        enter: None,
    }
}

fn everything() -> SpawnSpec<'static> {
    SpawnSpec {
        env: Some(vec![b"A=1", b"B="]),
        cwd: Some(b"/tmp"),
        stdio: Stdio::Each {
            stdin: Channel::Pipe,
            stdout: Channel::File(b"/dev/full"),
            stderr: Stderr::Stdout,
        },
        winsize: Size {
            rows: 24,
            cols: 80,
            xpixel: 640,
            ypixel: 480,
        },
        verbs: vec![
            Verb::DropBounding(0x1ff_ffff_fbff),
            sets(Some(1024), Some(1024), None),
            Verb::SetAmbient(0),
            Verb::SetGroups {
                gid: 100,
                groups: vec![4, 24, 4294967294],
            },
            Verb::SetUid(65534),
        ],
        proceed: true,
        no_new_privs: true,
        orphan: OrphanPolicy::Kill(Duration::ZERO),
        window: 1,
        namespaces: [Namespace::Net, Namespace::Mount, Namespace::Pid]
            .into_iter()
            .collect(),
        enter: Some(4711),
        ..spec(&["/bin/sh", "-c", ""])
    }
}

fn on_a_pty() -> SpawnSpec<'static> {
    use Namespace::{Cgroup, Ipc, Mount, Net, Pid, Time, User, Uts};
    SpawnSpec {
        env: Some(vec![]),
        stdio: Stdio::Pty,
        orphan: OrphanPolicy::Linger,
        namespaces: [Net, Mount, Pid, Uts, Ipc, User, Cgroup, Time]
            .into_iter()
            .collect(),
        enter: Some(1),
        ..spec(&["cat"])
    }
}

fn on_a_socket() -> SpawnSpec<'static> {
    use Namespace::{Cgroup, Ipc, Time, User, Uts};
    SpawnSpec {
        orphan: OrphanPolicy::Kill(Duration::from_millis(4294967295)),
        stdio: Stdio::Each {
            stdin: Channel::ConnectUnix(b"/run/s"),
            stdout: Channel::Devnull,
            stderr: Stderr::Channel(Channel::Inherit),
        },
        namespaces: [Time, Cgroup, User, Ipc, Uts].into_iter().collect(),
        path: Some(b"/bin/id"),
        ..spec(&["id"])
    }
}

fn sets(effective: Option<u64>, permitted: Option<u64>, inheritable: Option<u64>) -> Verb<'static> {
    Verb::SetThreadSets([effective, permitted, inheritable])
}

fn spawn(id: u64, spec: SpawnSpec<'_>) -> Command<'_> {
    Command::Spawn {
        id,
        spec: Box::new(spec),
    }
}

fn expected_commands() -> Vec<Command<'static>> {
    let ms = Duration::from_millis;
    let winsize = Size {
        rows: 65535,
        cols: 0,
        xpixel: 1,
        ypixel: 256,
    };
    vec![
        spawn(0, spec(&["true"])),
        spawn(1, everything()),
        spawn(2, on_a_pty()),
        spawn(3, on_a_socket()),
        Command::Verb {
            id: u64::MAX,
            verb: Verb::DropBounding(u64::MAX),
        },
        Command::Verb {
            id: 4294967296,
            verb: sets(Some(0), Some(2147483648), None),
        },
        Command::Verb {
            id: 7,
            verb: Verb::SetAmbient(1024),
        },
        Command::Verb {
            id: 7,
            verb: Verb::SetGroups {
                gid: 0,
                groups: vec![],
            },
        },
        Command::Verb {
            id: 7,
            verb: Verb::SetGroups {
                gid: 255,
                groups: vec![1, 2, 255],
            },
        },
        Command::Verb {
            id: 7,
            verb: Verb::SetUid(4294967294),
        },
    ]
    .into_iter()
    .chain(further_verbs().map(|verb| Command::Verb { id: 7, verb }))
    .chain([
        Command::Sync { id: 255 },
        Command::Proceed { id: 256 },
        Command::Abort { id: 2147483647 },
        Command::Signal {
            id: 2147483648,
            signal: 64,
        },
        Command::Stop {
            id: 7,
            grace: ms(5000),
        },
        Command::Orphan { id: 7 },
        Command::Write {
            id: 7,
            bytes: &[0, 1, 255],
        },
        Command::CloseStdin { id: 7 },
        Command::Winsize { id: 7, winsize },
        Command::Ack {
            id: 7,
            bytes: 65536,
        },
        Command::KillLeftover {
            pid: 4711,
            grace: ms(250),
            ago: ms(70_000),
        },
    ])
    .collect()
}

fn further_verbs() -> impl Iterator<Item = Verb<'static>> {
    [
        Verb::RaiseAmbient(1),
        Verb::DropAmbient(256),
        Verb::KeepOnly(2199023255551),
        Verb::SetSecurebits(u32::MAX),
        Verb::SetMode(Mode::Nopriv),
        Verb::SetMode(Mode::Pure1eInit),
        Verb::SetMode(Mode::Pure1e),
        Verb::SetMode(Mode::Hybrid),
        Verb::SetIab {
            inheritable: 0,
            ambient: 1024,
            blocked: 1 << 63,
        },
        Verb::SetNoNewPrivs,
        Verb::Chroot(b"/srv/root"),
    ]
    .into_iter()
}

#[test]
fn commands_decode_as_erlang_encoded_them() {
    let golden = commands();
    let expected = expected_commands();
    assert_eq!(golden.len(), expected.len());
    for ((term, encodings), command) in golden.iter().zip(&expected) {
        for frame in encodings {
            assert_eq!(decode(frame).as_ref(), Ok(command), "{term}");
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes(), body].concat()
}

fn event(event: Event<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    event.encode(&mut out);
    out
}

fn output(id: u64, stream: Stream, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    output_prefix(&mut out, id, stream, payload.len() as u32);
    out.extend_from_slice(payload);
    out
}

fn fault(reason: Reason) -> Vec<u8> {
    event(Event::Fault {
        id: Some(7),
        reason,
    })
}

fn encoded_events() -> Vec<Vec<u8>> {
    vec![
        event(Event::Hello {
            version: "0.1.0",
            launch: "clone",
            last_cap: 40,
            pid: 4711,
        }),
        event(Event::Ready {
            id: u64::MAX,
            host_pid: 4194304,
            child_pid: 1,
        }),
        event(Event::Running { id: 0 }),
        output(255, Stream::Stdout, b"out\n"),
        output(256, Stream::Stderr, b""),
        output(65536, Stream::Pty, &[0, 255]),
        event(Event::Written {
            id: 7,
            bytes: 262144,
        }),
        event(Event::Synced {
            id: 2147483647,
            securebits: 0xfff,
        }),
        event(Event::Exited {
            id: 2147483648,
            code: 255,
        }),
        event(Event::Signaled {
            id: 4294967295,
            signal: 9,
        }),
        event(Event::Aborted { id: 4294967296 }),
        event(Event::Error {
            id: 1099511627776,
            errno: 22,
            stage: "protocol",
        }),
        event(Event::Error {
            id: 7,
            errno: 1,
            stage: "cap_drop_bounding",
        }),
        event(Event::Fault {
            id: None,
            reason: Reason::TooLarge,
        }),
        fault(Reason::Malformed),
        fault(Reason::UnknownCommand),
        fault(Reason::BadArgument),
        fault(Reason::UnknownSession),
        fault(Reason::IdInUse),
        fault(Reason::NotParked),
        fault(Reason::NotRunning),
        fault(Reason::NoStdin),
        fault(Reason::NoPty),
    ]
}

#[test]
fn events_are_the_bytes_that_erlang_would_write() {
    let golden = events();
    let encoded = encoded_events();
    assert_eq!(golden.len(), encoded.len());
    for ((term, encodings), frame) in golden.iter().zip(&encoded) {
        assert_eq!(*frame, framed(&encodings[0]), "{term}");
    }
}

#[test]
fn events_are_appended() {
    let mut out = b"before".to_vec();
    Event::Running { id: 0 }.encode(&mut out);
    let synced = Event::Synced {
        id: 1,
        securebits: 0,
    };
    synced.encode(&mut out);
    let [running, synced] = [event(Event::Running { id: 0 }), event(synced)];
    assert_eq!(out, [b"before".as_slice(), &running, &synced].concat());
}

#[test]
fn integers_take_the_shortest_encoding_at_every_boundary() {
    for (id, tail) in [
        (255, vec![97, 255]),
        (256, vec![98, 0, 0, 1, 0]),
        (0x7fff_ffff, vec![98, 127, 255, 255, 255]),
        (0x8000_0000, vec![110, 4, 0, 0, 0, 0, 128]),
        (0xff_ffff_ffff, vec![110, 5, 0, 255, 255, 255, 255, 255]),
        (1 << 56, vec![110, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ] {
        assert!(event(Event::Aborted { id }).ends_with(&tail), "{id}");
    }
}
