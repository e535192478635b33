//! What the port program of Linx is made of, for the program itself and for those who try it out.
//! `docs/PROTOCOL.md` says how to speak to it.

mod agent;
mod heritage;
mod host;
mod port;
mod session;
mod startup;
mod strays;
mod streams;
mod timers;
mod verbs;
pub mod wire;

pub use agent::Service;
