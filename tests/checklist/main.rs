//! The protocol checklist from outside: raw WebSockets against the broker example, one test for each line.
//!
//! A test is named after its line (`con_04_…`). Beside what a test asks for, [`client::Client`] holds every frame of the
//! server against ALL-01 to ALL-11, WS-12 and WS-18.

#![expect(clippy::expect_used, clippy::panic, reason = "the helpers of the tests, too, fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod acknowledgement;
mod bodies;
mod client;
mod connecting;
mod disconnecting;
mod encoding;
mod floods;
mod frames;
mod heart_beats;
mod limits;
mod queues;
mod receipts;
mod sending;
mod subscriptions;
mod transactions;
mod users;
mod websocket;
