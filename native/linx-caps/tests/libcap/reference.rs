//! The real libcap behind a pipe: builds `harness.c` once and asks it many questions at a time.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What libcap says, or `None` where its headers are not installed.
pub struct Reference {
    /// `cap_max_bits()` of this machine.
    pub max_bits: u8,
    /// One answer a question, in order.
    pub answers: Vec<String>,
}

pub fn ask(questions: &[String]) -> Option<Reference> {
    let harness = harness()?;
    let mut child = Command::new(harness)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = questions.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("the harness ends");
    writer.join().expect("no panic").expect("all written");
    assert!(output.status.success(), "{}", output.status);
    let output = String::from_utf8(output.stdout).expect("ASCII");
    let mut lines = output.lines();
    let max_bits = lines
        .next()
        .and_then(|line| line.parse().ok())
        .expect("cap_max_bits");
    let answers: Vec<String> = lines.map(str::to_owned).collect();
    assert_eq!(answers.len(), questions.len());
    Some(Reference { max_bits, answers })
}

/// Says why a test does nothing, or fails where it must run.
pub fn skip(reason: &str) {
    let must = std::env::var_os("LINX_MUST_RUN").is_some_and(|value| value == "1");
    assert!(!must, "LINX_MUST_RUN=1, but {reason}");
    // Straight to the file descriptor: the test harness hides what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

fn harness() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    if !headers_installed() {
        skip("libcap-dev is not installed, so there is nothing to compare with");
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/libcap/harness.c");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libcap-harness");
    let status = Command::new("cc")
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-o"])
        .args([&binary, &source])
        .arg("-lcap")
        .status();
    assert!(
        status.expect("cc runs").success(),
        "the harness does not compile"
    );
    Some(binary)
}

fn headers_installed() -> bool {
    let status = Command::new("cc")
        .args(["-E", "-x", "c", "-include", "sys/capability.h", "/dev/null"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
