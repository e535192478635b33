//! Specs that are wrong in themselves.

use crate::wire::{decode, Command, Reason, Refusal};

/// Just enough of an encoder to write any spec.
fn atom(name: &str) -> Vec<u8> {
    [&[119, name.len() as u8], name.as_bytes()].concat()
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [&[109], (bytes.len() as u32).to_be_bytes().as_slice(), bytes].concat()
}

fn int(value: i32) -> Vec<u8> {
    [&[98], value.to_be_bytes().as_slice()].concat()
}

fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    let length = (elements.len() as u32).to_be_bytes();
    [&[108], length.as_slice(), &elements.concat(), &[106]].concat()
}

fn tuple(elements: &[Vec<u8>]) -> Vec<u8> {
    [&[104, elements.len() as u8], elements.concat().as_slice()].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> = pairs
        .iter()
        .flat_map(|(key, value)| [atom(key), value.clone()].concat())
        .collect();
    [&[116], (pairs.len() as u32).to_be_bytes().as_slice(), &body].concat()
}

fn spawn(spec: Vec<u8>) -> Vec<u8> {
    [vec![131], tuple(&[atom("spawn"), int(7), spec])].concat()
}

fn argv() -> (&'static str, Vec<u8>) {
    ("argv", list(&[binary(b"true")]))
}

fn accepted(key: &str, value: Vec<u8>) {
    let frame = spawn(map(&[argv(), (key, value)]));
    assert!(
        matches!(decode(&frame), Ok(Command::Spawn { id: 7, .. })),
        "{key}"
    );
}

fn refused(key: &str, value: Vec<u8>) {
    let frame = spawn(map(&[argv(), (key, value.clone())]));
    assert_eq!(
        decode(&frame),
        Err(Refusal::Spawn { id: 7 }),
        "{key} {value:?}"
    );
}

fn stdio(stdin: Vec<u8>, stdout: Vec<u8>, stderr: Vec<u8>) -> Vec<u8> {
    tuple(&[stdin, stdout, stderr])
}

#[test]
fn argv_is_required_and_not_empty() {
    for spec in [
        map(&[]),
        map(&[("argv", list(&[]))]),
        map(&[("argv", vec![106])]),
    ] {
        assert_eq!(decode(&spawn(spec)), Err(Refusal::Spawn { id: 7 }));
    }
}

#[test]
fn a_spec_is_a_map() {
    for spec in [atom("true"), list(&[]), tuple(&[])] {
        assert_eq!(decode(&spawn(spec)), Err(Refusal::Spawn { id: 7 }));
    }
}

#[test]
fn a_spawn_without_a_spec_is_a_fault() {
    let frame = [vec![131], tuple(&[atom("spawn"), int(7)])].concat();
    let fault = Refusal::Fault {
        id: Some(7),
        reason: Reason::BadArgument,
    };
    assert_eq!(decode(&frame), Err(fault));
}

#[test]
fn unknown_and_repeated_keys_are_refused() {
    refused("argc", int(1));
    refused("argv", list(&[binary(b"true")]));
    refused("", int(1));
}

#[test]
fn a_program_may_have_a_path_beside_its_name() {
    accepted("path", binary(b"/bin/true"));
    refused("path", atom("true"));
}

#[test]
fn zero_bytes_are_refused_in_every_string() {
    let nul = || binary(b"a=\0");
    let path = |kind: &str| tuple(&[atom(kind), nul()]);
    let pipe = || atom("pipe");
    refused("cwd", nul());
    refused("path", nul());
    refused("env", list(&[nul()]));
    refused("stdio", stdio(path("file"), pipe(), pipe()));
    refused("stdio", stdio(pipe(), path("connect_unix"), pipe()));
    refused("stdio", stdio(pipe(), pipe(), path("file")));
    let spec = map(&[("argv", list(&[binary(b"true"), nul()]))]);
    assert_eq!(decode(&spawn(spec)), Err(Refusal::Spawn { id: 7 }));
}

#[test]
fn an_environment_entry_has_a_name() {
    for entry in [b"".as_slice(), b"A", b"=A", b"==", b"="] {
        refused("env", list(&[binary(entry)]));
    }
    accepted("env", list(&[binary(b"A=="), binary(b"A=")]));
}

#[test]
fn stdio_has_three_known_ends() {
    let pipe = || atom("pipe");
    accepted("stdio", stdio(pipe(), pipe(), atom("stdout")));
    refused("stdio", stdio(pipe(), atom("stdout"), pipe()));
    refused("stdio", stdio(atom("stdout"), pipe(), pipe()));
    refused("stdio", stdio(pipe(), pipe(), atom("pty")));
    refused(
        "stdio",
        stdio(pipe(), pipe(), tuple(&[atom("fifo"), binary(b"x")])),
    );
    refused("stdio", tuple(&[pipe(), pipe()]));
    refused("stdio", pipe());
}

#[test]
fn numbers_have_ranges() {
    let winsize = |rows: i32| tuple(&[int(rows), int(0), int(0), int(0)]);
    accepted("winsize", winsize(65535));
    refused("winsize", winsize(65536));
    refused("winsize", winsize(-1));
    refused("window", int(0));
    refused("window", int(-1));
    refused("enter", int(0));
    refused("enter", int(-1));
    accepted("orphan", tuple(&[atom("kill"), int(0)]));
    refused("orphan", tuple(&[atom("kill"), int(-1)]));
    refused("orphan", tuple(&[atom("keep"), int(1)]));
    refused("orphan", atom("kill"));
}

#[test]
fn flags_are_booleans() {
    for key in ["proceed", "no_new_privs"] {
        accepted(key, atom("false"));
        refused(key, atom("yes"));
        refused(key, int(1));
    }
}

#[test]
fn lists_hold_what_they_should() {
    refused("verbs", list(&[atom("drop_bounding")]));
    refused("verbs", atom("drop_bounding"));
    refused("namespaces", list(&[atom("mnt")]));
    refused("namespaces", list(&[binary(b"net")]));
    // A byte list, as term_to_binary writes "net".
    refused("namespaces", vec![107, 0, 3, b'n', b'e', b't']);
    refused("env", vec![107, 0, 3, b'A', b'=', b'1']);
}
