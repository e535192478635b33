//! The whole agent, in this process and with real children, driven by bytes.
//!
//! An input is a sequence of acts of a client: frames that make sense and such that do not, turns of the agent's loop, time
//! that passes, violence. `model` holds what the agent tells against the protocol; at the end nothing may be left over.

mod client;
mod event;
mod input;
mod launch;
mod leftovers;
mod model;
mod session;
mod term;

use std::cell::OnceCell;

use linx_sys::child::Launch;
use linx_sys::process::{self, Quiet};
use linx_sys::tree;
use nix::sys::signal::{kill, raise, SigSet, Signal};
use nix::unistd::Pid;

use client::Client;
use input::Input;
use launch::{grace, launch, verb};
use leftovers::Leftovers;
use model::is_harmless;
use term::{atom, bytes, int, tagged, Term};

/// Most acts of an input; the rest of it is not looked at.
const MAX_ACTS: usize = 48;
const IDS: u64 = 4;

thread_local! {
    static QUIET: OnceCell<Quiet> = const { OnceCell::new() };
}

/// Makes this process one that can have an agent in it: before it has handlers of signals, and threads.
pub fn prepare() {
    QUIET.with(|quiet| {
        quiet.get_or_init(|| {
            let quiet = process::prepare_process().expect("a process of one thread");
            tree::become_subreaper().expect("a subreaper");
            // By which libFuzzer finds what takes too long. Children have no handler for it.
            let mut alarm = SigSet::empty();
            alarm.add(Signal::SIGALRM);
            alarm.thread_unblock().expect("an alarm");
            quiet
        });
    });
}

/// A life of an agent: the first byte says how it starts and how it ends.
pub fn agent(data: &[u8]) {
    prepare();
    let quiet = QUIET.with(|quiet| quiet.get().cloned());
    let before = Leftovers::look();
    let mut input = Input(data);
    let style = input.byte();
    let launch = match style & 1 {
        0 => Launch::Fork,
        _ => Launch::Clone,
    };
    let mut client = Client::new(quiet.expect("prepared"), launch).expect("an agent");
    for _ in 0..MAX_ACTS {
        if input.0.is_empty() {
            break;
        }
        act(&mut client, &mut input);
    }
    let model = end(client, style >> 1);
    before.compare(&model);
}

fn end(mut client: Client, how: u8) -> model::Model {
    match how % 8 {
        0 => client.leave(true),
        1 => client.leave(false),
        2 => {
            raise(Signal::SIGTERM).expect("a signal to oneself");
            client.leave(false)
        }
        _ => {
            client.finish();
            client.leave(false)
        }
    }
}

/// One thing that a client does, or that happens to it.
fn act(client: &mut Client, input: &mut Input<'_>) {
    let choice = input.byte();
    let id = u64::from(input.byte()) % IDS;
    match choice % 24 {
        0..=3 => {
            let pids: Vec<i32> = (0..IDS)
                .filter_map(|id| client.model.host_pid(id))
                .collect();
            let frame = launch(input, id, &pids);
            client.send(&frame);
        }
        4..=15 => {
            let frame = request(choice % 24, id, input).encode();
            client.send(&frame);
        }
        16 => {
            let pid = client.model.host_pid(id).unwrap_or(1);
            let frame = tagged("kill_leftover", [int(pid), grace(input), int(0)]).encode();
            client.send(&frame);
        }
        17 => raw_frame(client, input.raw()),
        18 => client.give(usize::from(input.byte())),
        19 => client.deaf = !client.deaf,
        20 => murder(client, id),
        // Time passes.
        21 => client.pass(),
        // Something happens, if anything is to.
        _ => drop(client.turn(u16::from(input.byte() % 4))),
    }
}

fn request(kind: u8, id: u64, input: &mut Input<'_>) -> Term {
    let id = int(id);
    match kind {
        4 => tagged("verb", [id, verb(input)]),
        5 => tagged("sync", [id]),
        6 | 7 => tagged("proceed", [id]),
        8 => tagged("abort", [id]),
        9 => tagged(
            "signal",
            [id, int(input.pick(&[15, 9, 19, 18, 1, 34, 64, 65]))],
        ),
        10 => tagged("stop", [id, grace(input)]),
        11 => tagged("orphan", [id]),
        12 => tagged(
            "write",
            [id, bytes(vec![b'x'; input.pick(&[3, 0, 5_000, 70_000])])],
        ),
        13 => tagged("close_stdin", [id]),
        14 => {
            let size = [25, 80, 0, i32::from(input.byte())].map(int).to_vec();
            tagged("winsize", [id, Term::Tuple(size)])
        }
        _ => match input.byte() {
            0 => tagged("ack", [id, atom("all")]),
            count => tagged("ack", [id, int(1u64 << (count % 64))]),
        },
    }
}

/// A frame as it stands in the input.
fn raw_frame(client: &mut Client, frame: &[u8]) {
    if is_harmless(frame) {
        client.send(frame);
    }
}

/// Somebody else kills a child.
fn murder(client: &mut Client, id: u64) {
    if let Some(pid) = client.model.host_pid(id) {
        client.model.violent = true;
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
