//! Descriptor numbers for children that start with the parent's table.
//!
//! Copying a table of thousands of descriptors is what makes starting a child dear, so where there are many a child shares
//! the table (`CLONE_FILES`) and its first act is to leave it with a copy of the lowest numbers only
//! (`close_range(2)`, `CLOSE_RANGE_UNSHARE`). What it needs must therefore have low numbers: a *bank* of them,
//! reserved here, which is taken again once the child has said that its table is its own.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{open, OFlag};
use nix::sys::stat::Mode;

const FIRST: RawFd = 16;
const PER_BANK: usize = 4;
const BANKS: usize = 16;

/// The lowest number that no slot has: a child's copy of the table ends below it.
pub(super) const END: u32 = FIRST as u32 + (PER_BANK * BANKS) as u32;

#[derive(Clone, Copy)]
struct Bank {
    /// The number of the loan it is lent under, if it is.
    loan: Option<u64>,
    used: usize,
}

const FREE: Bank = Bank {
    loan: None,
    used: 0,
};

/// One flag a bank; static, so that a child can never write to memory that is gone.
static FLAGS: [AtomicBool; BANKS] = [const { AtomicBool::new(false) }; BANKS];

/// All banks; one per process, since the numbers are fixed.
pub(super) struct Slots {
    filler: OwnedFd,
    banks: [Bank; BANKS],
    loans: u64,
}

/// A bank lent to one child. A loan that has ended names nothing, even if the bank is lent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loan {
    bank: usize,
    number: u64,
}

impl Slots {
    /// Reserves the numbers. `EBUSY` if one of them is in use.
    pub(super) fn reserve() -> Result<Self, Errno> {
        let filler = open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
        for fd in FIRST..END as RawFd {
            // SAFETY: F_GETFD only asks whether the number is in use.
            if unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1 {
                return Err(Errno::EBUSY);
            }
            place(filler.as_raw_fd(), fd)?;
        }
        Ok(Slots {
            filler,
            banks: [FREE; BANKS],
            loans: 0,
        })
    }

    /// A free bank, or `None` while every one is lent to a child that has not left the table yet.
    pub(super) fn lend(&mut self) -> Option<Loan> {
        self.take_back();
        let bank = self.banks.iter().position(|bank| bank.loan.is_none())?;
        self.loans += 1;
        self.banks[bank].loan = Some(self.loans);
        FLAGS[bank].store(false, Ordering::Relaxed);
        Some(Loan {
            bank,
            number: self.loans,
        })
    }

    /// Puts a copy of `fd` into the bank and returns its number there. `EMFILE` when the bank is full.
    pub(super) fn put(&mut self, loan: Loan, fd: RawFd) -> Result<RawFd, Errno> {
        let bank = &mut self.banks[loan.bank];
        if bank.used == PER_BANK {
            return Err(Errno::EMFILE);
        }
        let slot = first(loan.bank) + bank.used as RawFd;
        place(fd, slot)?;
        bank.used += 1;
        Ok(slot)
    }

    /// First and last number of the bank.
    pub(super) fn range(&self, loan: Loan) -> (u32, u32) {
        let first = first(loan.bank) as u32;
        (first, first + PER_BANK as u32 - 1)
    }

    /// The flag by which the bank's child says that it has left the table.
    pub(super) fn flag(&self, loan: Loan) -> &'static AtomicBool {
        &FLAGS[loan.bank]
    }

    /// Takes back every bank whose child has left the table.
    pub(super) fn take_back(&mut self) {
        for (bank, flag) in FLAGS.iter().enumerate() {
            if self.banks[bank].loan.is_some() && flag.load(Ordering::Acquire) {
                self.empty(bank);
            }
        }
    }

    /// Ends a loan whose child is gone, if it has not ended yet.
    pub(super) fn end(&mut self, loan: Loan) {
        if self.banks[loan.bank].loan == Some(loan.number) {
            self.empty(loan.bank);
        }
    }

    fn empty(&mut self, bank: usize) {
        for slot in (first(bank)..).take(self.banks[bank].used) {
            // A number that cannot be refilled stays reserved by what is in it; nothing is lost but
            // the early close.
            let _ = place(self.filler.as_raw_fd(), slot);
        }
        self.banks[bank] = FREE;
    }
}

/// A child that has not left the table yet loses what was lent to it.
impl Drop for Slots {
    fn drop(&mut self) {
        for slot in FIRST..END as RawFd {
            // Reserved here, so no OwnedFd has it.
            let _ = nix::unistd::close(slot);
        }
    }
}

fn first(bank: usize) -> RawFd {
    FIRST + (bank * PER_BANK) as RawFd
}

fn place(fd: RawFd, slot: RawFd) -> Result<(), Errno> {
    // SAFETY: `slot` is one of the numbers reserved here, which no OwnedFd owns.
    Errno::result(unsafe { libc::dup3(fd, slot, libc::O_CLOEXEC) }).map(drop)
}
