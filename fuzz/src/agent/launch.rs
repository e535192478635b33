//! Launches that do no harm, made of bytes.

use super::input::Input;
use super::term::{atom, bytes, int, tagged, Term};

const SHELL: &str = "/bin/sh";

/// Programs that write nothing.
const QUIET: [&[&str]; 6] = [
    &["/bin/true"],
    &["/bin/sleep", "60"],
    &["/bin/false"],
    &["/nonexistent"],
    &["/etc/passwd"],
    &["true"],
];

/// Programs that read, write, have children, or will not go.
const LIVELY: [&[&str]; 9] = [
    &["/bin/cat"],
    &["/usr/bin/yes"],
    &[SHELL, "-c", "echo out; echo err >&2; exit 3"],
    &[SHELL, "-c", "trap '' TERM; echo here; sleep 60"],
    &[SHELL, "-c", "sleep 60 & exit 4"],
    &[SHELL, "-c", "setsid sleep 60 & kill -9 $$"],
    &[SHELL, "-c", "exec head -c 100000 /dev/zero"],
    &[SHELL, "-c", "exec <&- >&- 2>&-; sleep 60"],
    &[SHELL, "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
];

/// `{spawn, Id, Spec}`. `pids` may be entered.
pub fn launch(input: &mut Input<'_>, id: u64, pids: &[i32]) -> Vec<u8> {
    let lively = input.flag();
    let argv = match lively {
        true => input.pick(&LIVELY),
        false => input.pick(&QUIET),
    };
    let argv = argv.iter().map(bytes).collect();
    let mut spec = vec![
        (atom("argv"), Term::List(argv)),
        (atom("orphan"), orphan(input)),
        (atom("proceed"), boolean(input.flag())),
    ];
    // What is written to inherited descriptors would end up among the fuzzer's own words.
    if lively || input.flag() {
        spec.push((atom("stdio"), stdio(input)));
    }
    let options = input.byte();
    for bit in (0..8).filter(|bit| options >> bit & 1 == 1) {
        spec.push(option(input, bit, pids));
    }
    tagged("spawn", [int(id), Term::Map(spec)]).encode()
}

fn option(input: &mut Input<'_>, which: u8, pids: &[i32]) -> (Term, Term) {
    match which {
        0 => (atom("kill_tree"), boolean(input.flag())),
        1 => (atom("window"), int(input.pick(&[1, 100, 70_000, 1 << 22]))),
        2 => (atom("verbs"), verbs(input)),
        3 => (atom("no_new_privs"), boolean(true)),
        4 => (atom("cwd"), bytes(input.pick(&["/", "/nonexistent"]))),
        5 => (atom("namespaces"), namespaces(input)),
        6 => (atom("enter"), int(input.pick_or(pids, 1))),
        // Refused: no environment has such an entry.
        _ => (
            atom("env"),
            Term::List(vec![bytes(input.pick(&["A=1", "A"]))]),
        ),
    }
}

fn verbs(input: &mut Input<'_>) -> Term {
    Term::List((0..input.byte() % 4).map(|_| verb(input)).collect())
}

fn namespaces(input: &mut Input<'_>) -> Term {
    let name = input.pick(&["pid", "uts", "user", "ipc"]);
    Term::List(vec![atom(name)])
}

fn boolean(value: bool) -> Term {
    atom(if value { "true" } else { "false" })
}

fn orphan(input: &mut Input<'_>) -> Term {
    match input.byte() % 8 {
        0 => atom("linger"),
        _ => tagged("kill", [grace(input)]),
    }
}

/// Milliseconds: short, since what strays is granted passes by the clock.
pub fn grace(input: &mut Input<'_>) -> Term {
    int(input.pick(&[0, 1, 20]))
}

fn stdio(input: &mut Input<'_>) -> Term {
    if input.byte() < 32 {
        return atom("pty");
    }
    let stdin = channel(input, "/dev/zero");
    let stdout = channel(input, "/dev/full");
    let stderr = match input.flag() {
        true => channel(input, "/dev/null"),
        false => atom("stdout"),
    };
    Term::Tuple(vec![stdin, stdout, stderr])
}

fn channel(input: &mut Input<'_>, path: &str) -> Term {
    match input.byte() % 8 {
        0 => atom("devnull"),
        1 => tagged("file", [bytes(path)]),
        2 => tagged("file", [bytes("/nonexistent/file")]),
        3 => tagged("connect_unix", [bytes("/nonexistent/socket")]),
        _ => atom("pipe"),
    }
}

/// A verb, whether the kernel will have it or not.
pub fn verb(input: &mut Input<'_>) -> Term {
    match input.byte() % 14 {
        0 => tagged("drop_bounding", [mask(input)]),
        1 => tagged("set_thread_sets", [kept(input), kept(input), kept(input)]),
        2 => tagged("set_ambient", [mask(input)]),
        3 => tagged("raise_ambient", [mask(input)]),
        4 => tagged("drop_ambient", [mask(input)]),
        5 => tagged("keep_only", [mask(input)]),
        6 => tagged("set_groups", [id(input), Term::List(vec![id(input)])]),
        7 => tagged("set_uid", [id(input)]),
        8 => tagged("set_securebits", [int(input.byte())]),
        9 => {
            let modes = ["nopriv", "pure1e_init", "pure1e", "hybrid"];
            tagged("set_mode", [atom(input.pick(&modes))])
        }
        10 => tagged("set_iab", [mask(input), mask(input), mask(input)]),
        11 => tagged("set_no_new_privs", []),
        12 => tagged("chroot", [bytes(input.pick(&["/", "/nonexistent"]))]),
        _ => tagged("no_verb", [mask(input)]),
    }
}

fn mask(input: &mut Input<'_>) -> Term {
    match input.byte() {
        0 => int(0),
        255 => int(u64::MAX),
        bit => int(1u64 << (bit % 64)),
    }
}

fn kept(input: &mut Input<'_>) -> Term {
    match input.flag() {
        true => atom("keep"),
        false => mask(input),
    }
}

fn id(input: &mut Input<'_>) -> Term {
    int(input.pick(&[0, 65_534, u32::MAX]))
}
