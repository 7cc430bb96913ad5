//! Notifications over the core alone, with paused time: both transports, acknowledgement, bounds, and a model of mailboxes with
//! clients that come and go and servers that die.

#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod bell;
mod model;
mod rules;
