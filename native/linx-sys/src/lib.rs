//! Every system call of Linx, behind functions that are safe to call.
//!
//! This is the only crate of the workspace with unsafe code. What is here knows the kernel and nothing
//! of sessions, frames or Erlang terms.

mod caps;
pub mod child;
pub mod exec_file;
pub mod fd;
pub mod kernel;
pub mod proc_list;
pub mod process;
mod raw;
pub mod status;
pub mod tree;
pub mod xattr;
