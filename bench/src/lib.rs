//! Measures Parlor, the physical limit and its peers from outside: each is a process of its own, and what arrives at the clients
//! is all that counts.
//!
//! ```text
//! cli -> compare, program -> contest -> scenario -> generator -> dialect, ledger, stamp
//!                                    -> subject               -> poller, socket, websocket
//! ```

#![cfg(target_os = "linux")]

mod cli;
mod clock;
mod codec;
mod compare;
mod contest;
mod cores;
mod dialect;
mod generator;
mod ledger;
mod limit;
mod machine;
mod poller;
mod program;
mod report;
mod sample;
mod scenario;
mod socket;
mod stamp;
mod statistics;
mod subject;
mod websocket;

pub use cli::main;
