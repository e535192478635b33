//! The prediction against the running kernel: thousands of tasks execute thousands of files, and
//! each becomes what was predicted. Needs root, and `cap_sys_admin` for a private mount.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use linx_caps::execve::{predict, ExecError, Kernel, Program, Task};
use linx_caps::securebits::Securebits;
use linx_caps::xattr::{self, FileCaps, Revision};
use linx_caps::{status, Cap, CapSet, Ids, State};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const CASES: usize = 3_000;

#[derive(Debug)]
struct Case {
    task: Task,
    program: Program,
    /// Whether the task is traced; its tracer has the rights of its own effective set.
    traced: bool,
}

#[test]
fn the_kernel_does_what_is_predicted() {
    let machine = status::parse(&fs::read("/proc/self/status").unwrap()).unwrap();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return skip("only root can become any task");
    }
    let kernel = running_kernel();
    let held = machine.permitted.intersection(machine.bounding);
    let cases = generate(held);
    let questions: String = cases.iter().map(question).collect();
    let Some(answers) = ask(questions) else {
        return skip("this root may not mount");
    };
    assert_eq!(answers.len(), cases.len());
    let mut refusals = 0;
    for (case, answer) in cases.iter().zip(answers) {
        let predicted = predicted(case, &kernel);
        refusals += usize::from(predicted.starts_with("execve"));
        assert_eq!(predicted, answer, "{case:?}");
    }
    assert!((1..CASES / 2).contains(&refusals), "{refusals} refusals");
}

fn skip(reason: &str) {
    let must = std::env::var_os("LINX_MUST_RUN").is_some_and(|value| value == "1");
    assert!(!must, "LINX_MUST_RUN=1, but {reason}");
    // Straight to the file descriptor: the test harness hides what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

fn running_kernel() -> Kernel {
    let number = |text: &str| text.trim().parse::<u32>().unwrap();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']);
    let last_cap = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    Kernel {
        version: (number(parts.next().unwrap()), number(parts.next().unwrap())),
        max_bits: u8::try_from(number(&last_cap)).unwrap() + 1,
    }
}

/// The harness's answers, one a case, or `None` where it may not set itself up.
fn ask(questions: String) -> Option<Vec<String>> {
    let dir = Scratch::new();
    let mut child = Command::new(build())
        .arg(&dir.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = child.wait_with_output().expect("the harness ends");
    let written = writer.join().expect("no panic");
    let output = String::from_utf8(output.stdout).expect("ASCII");
    let mut lines = output.lines().map(str::to_owned);
    let first = lines.next().expect("a first line");
    if first != "ready" {
        assert!(
            first == "setup unshare 1" || first == "setup mount 1",
            "{first}"
        );
        return None;
    }
    written.expect("all written");
    Some(lines.collect())
}

fn build() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/execve/harness.c");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("execve-harness");
    let status = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-static", "-o"])
        .args([&binary, &source])
        .status();
    assert!(
        status.expect("cc runs").success(),
        "the harness does not compile"
    );
    binary
}

/// A directory every user can reach, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        let dir = std::env::temp_dir().join(format!("linx-execve-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn predicted(case: &Case, kernel: &Kernel) -> String {
    match predict(&case.task, &case.program, kernel) {
        Err(ExecError::Insufficient { .. }) => "execve 1".to_owned(),
        Ok(after) => format!(
            "{} {} {} {:x} {}",
            ids(after.uid),
            ids(after.gid),
            sets(&after.state),
            after.securebits.bits(),
            u8::from(after.secure_exec)
        ),
    }
}

fn question(case: &Case) -> String {
    let Case {
        task,
        program,
        traced,
    } = case;
    let groups: Vec<String> = task.groups.iter().map(u32::to_string).collect();
    let groups = if groups.is_empty() {
        "-".to_owned()
    } else {
        groups.join(",")
    };
    let flags = [task.no_new_privs, task.shared_fs, *traced, program.nosuid];
    let flags = flags.map(|flag| u8::from(flag).to_string()).join(" ");
    let xattr = program.file_caps.map_or("-".to_owned(), |caps| {
        let bytes = xattr::encode(&caps).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    format!(
        "{} {} {groups} {} {:x} {flags} {} {} {:o} {xattr}\n",
        ids(task.uid),
        ids(task.gid),
        sets(&task.state),
        task.securebits.bits(),
        program.owner,
        program.group,
        program.mode,
    )
}

fn ids(ids: Ids) -> String {
    format!("{} {} {} {}", ids.real, ids.effective, ids.saved, ids.fs)
}

fn sets(state: &State) -> String {
    let State {
        permitted,
        effective,
        inheritable,
        bounding,
        ambient,
    } = *state;
    let words = [permitted, effective, inheritable, bounding, ambient].map(CapSet::bits);
    words.map(|bits| format!("{bits:x}")).join(" ")
}

fn generate(held: CapSet) -> Vec<Case> {
    let case = |(mut task, program, traced): (Task, Program, bool)| {
        task.weakly_traced = traced && !task.state.effective.contains(Cap::SYS_PTRACE);
        Case {
            task,
            program,
            traced,
        }
    };
    let strategy = (any_task(held), any_program(), prop::bool::weighted(0.25)).prop_map(case);
    let mut runner = TestRunner::deterministic();
    (0..CASES)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

fn any_set() -> impl Strategy<Value = CapSet> {
    let bits = any::<u64>().prop_map(CapSet::from_bits).boxed();
    let few = (bits.clone(), bits.clone(), bits.clone())
        .prop_map(|(a, b, c)| a.intersection(b).intersection(c));
    let many = (bits.clone(), bits.clone(), bits.clone()).prop_map(|(a, b, c)| a.union(b).union(c));
    prop_oneof![1 => Just(CapSet::EMPTY), 2 => Just(CapSet::KNOWN), 1 => bits, 1 => few, 1 => many]
        .prop_map(|set| set.intersection(CapSet::KNOWN))
}

fn any_id() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0u32), Just(1000), Just(1001)]
}

fn any_ids() -> impl Strategy<Value = Ids> {
    let mixed =
        (any_id(), any_id(), any_id(), any_id()).prop_map(|(real, effective, saved, fs)| Ids {
            real,
            effective,
            saved,
            fs,
        });
    prop_oneof![any_id().prop_map(Ids::all), mixed]
}

/// Only what this machine can hold: nothing outside its own permitted and bounding sets.
fn any_task(held: CapSet) -> impl Strategy<Value = Task> {
    let sets = [any_set(), any_set(), any_set(), any_set(), any_set()];
    let groups = prop::collection::vec(
        prop_oneof![Just(0u32), Just(1000), Just(1001), Just(2000)],
        0..4,
    );
    let rarely = || prop::bool::weighted(0.25);
    let securebits = prop_oneof![2 => Just(0u32), 3 => 0u32..0x100];
    (
        sets,
        any_ids(),
        any_ids(),
        groups,
        securebits,
        rarely(),
        rarely(),
    )
        .prop_map(
            move |(sets, uid, gid, groups, securebits, no_new_privs, shared_fs)| {
                let [permitted, effective, inheritable, bounding, ambient] =
                    sets.map(|set| set.intersection(held));
                Task {
                    state: State {
                        permitted,
                        effective: effective.intersection(permitted),
                        inheritable,
                        bounding,
                        ambient: ambient.intersection(permitted).intersection(inheritable),
                    },
                    uid,
                    gid,
                    groups,
                    securebits: Securebits::from_bits(securebits),
                    no_new_privs,
                    shared_fs,
                    weakly_traced: false,
                }
            },
        )
}

fn any_file_caps() -> impl Strategy<Value = FileCaps> {
    let rootid = prop_oneof![3 => Just(0u32), 1 => Just(1000)];
    (any_set(), any_set(), any::<bool>(), rootid).prop_map(
        |(permitted, inheritable, effective, rootid)| FileCaps {
            revision: if rootid == 0 {
                Revision::V2
            } else {
                Revision::V3
            },
            permitted,
            inheritable,
            effective,
            rootid,
        },
    )
}

fn any_program() -> impl Strategy<Value = Program> {
    let mode = prop_oneof![
        3 => Just(0o755),
        3 => Just(0o4755),
        2 => Just(0o2755),
        2 => Just(0o6755),
    ];
    let file_caps = prop::option::of(any_file_caps());
    (
        file_caps,
        any_id(),
        any_id(),
        mode,
        prop::bool::weighted(0.15),
    )
        .prop_map(|(file_caps, owner, group, mode, nosuid)| Program {
            file_caps,
            owner,
            group,
            mode,
            nosuid,
            foreign_namespace: false,
        })
}
