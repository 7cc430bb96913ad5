//! Options: their names and their values.

#![allow(unused)]

use parlor::{on_connected, stomp_handler, subscribe_handler};

#[stomp_handler("/app/a", colour = "red")]
async fn unknown() {}

#[stomp_handler("/app/b", authorise = is_member)]
async fn misspelt() {}

#[on_connected(rate = "5/s")]
async fn not_here() {}

#[subscribe_handler("/topic/c", max_size = "4 KiB", concurrent = 2)]
async fn no_body() {}

#[stomp_handler("/app/d", rate = "5/s", rate = "6/s")]
async fn twice() {}

#[stomp_handler("/app/e", rate, max_size("4 KiB"), authorize =, concurrent)]
async fn without_values() {}

#[stomp_handler("/app/f", authorize = "is_member")]
async fn authorize_text() {}

#[stomp_handler("/app/f", authorize = 7)]
async fn authorize_number() {}

#[stomp_handler("/app/g", rate = "5 per second")]
async fn rate_words() {}

#[stomp_handler("/app/h", rate = 5)]
async fn rate_number() {}

#[stomp_handler("/app/i", max_size = "4 KB")]
async fn size_unit() {}

#[stomp_handler("/app/j", max_size = 4096)]
async fn size_number() {}

#[stomp_handler("/app/k", concurrent = 0)]
async fn concurrent_none() {}

#[stomp_handler("/app/l", concurrent = "4")]
async fn concurrent_text() {}

#[stomp_handler("/app/m", state = "App")]
async fn state_text() {}

#[stomp_handler("/app/n", crate = parlor)]
async fn crate_name() {}

/// All that is wrong with an attribute is said at once.
#[stomp_handler("app/o", rate = "fast", max_size = "big", concurrent = 0)]
fn all_at_once() {}

fn main() {}
