//! What an agent must not leave behind.

use std::cell::Cell;
use std::fs;

use linx_sys::fd::signal_fd;
use linx_sys::tree::own_children;
use nix::sys::signal::{kill, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::model::Model;

/// So many lives together may take this much more memory than they give back.
const LIVES: u32 = 250;
const GROWTH: i64 = 8 << 20;
const PAGE: i64 = 4096;

/// What one life after another comes to.
#[derive(Clone, Copy, Default)]
struct Account {
    lives: u32,
    growth: i64,
    /// The memory before the last life, if that should have given everything back.
    before: Option<i64>,
}

thread_local! {
    static ACCOUNT: Cell<Account> = const {
        Cell::new(Account {
            lives: 0,
            growth: 0,
            before: None,
        })
    };
}

/// What this process had before the life of an agent.
pub struct Leftovers {
    descriptors: usize,
    memory: i64,
}

impl Leftovers {
    pub fn look() -> Leftovers {
        let memory = memory();
        count_growth(memory);
        Leftovers {
            descriptors: descriptors(),
            memory,
        }
    }

    /// Ends the run if there is more now.
    pub fn compare(&self, model: &Model) {
        let children = own_children().unwrap_or_default();
        if !children.is_empty() && !model.lenient {
            model.fail(&format!("children are left over: {children:?}"));
        }
        remove(children);
        heed_signals();
        let now = descriptors();
        if now != self.descriptors {
            model.fail(&format!("{} descriptors, and now {now}", self.descriptors));
        }
        // The memory of a child that outlives the agent before it has run is not given back.
        let before = (!model.lenient).then_some(self.memory);
        ACCOUNT.set(Account {
            before,
            ..ACCOUNT.get()
        });
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, |all| all.count())
}

/// The size of all mappings in bytes, as `proc_pid_statm(5)` has it.
fn memory() -> i64 {
    let sizes = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = sizes.split(' ').next().and_then(|size| size.parse().ok());
    pages.unwrap_or(0) * PAGE
}

/// What lives on without its agent is of no use here.
fn remove(mut children: Vec<i32>) {
    while !children.is_empty() {
        for child in children {
            let child = Pid::from_raw(child);
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
        }
        children = own_children().unwrap_or_default();
    }
}

/// Signals are blocked, and the one to an agent stays pending: the next must not get it.
fn heed_signals() {
    let Ok(signals) = signal_fd() else { return };
    while let Ok(Some(signal)) = signals.read_signal() {
        // One that is not from here is for the fuzzer.
        if signal.ssi_pid != std::process::id() {
            std::process::exit(130);
        }
    }
}

fn count_growth(memory: i64) {
    let mut account = ACCOUNT.get();
    let Some(before) = account.before.take() else {
        return;
    };
    account.lives += 1;
    account.growth += memory - before;
    assert!(
        account.lives < LIVES || account.growth < GROWTH,
        "{LIVES} agents, and {} bytes of memory more",
        account.growth
    );
    if account.lives == LIVES {
        account = Account::default();
    }
    ACCOUNT.set(account);
}
