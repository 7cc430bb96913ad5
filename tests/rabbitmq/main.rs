//! The broker example beside RabbitMQ with its Web-STOMP plug-in, as @stomp/stompjs sees them: each difference stands in
//! docs/compared-with-rabbitmq.md, and nothing stands there that is none.

#![expect(clippy::expect_used, reason = "the helpers of the tests, too, fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod node;
mod table;

use std::{fs, path::Path};

use node::Node;
use support::{Server, available, has, installed, root, run_folder};
use table::{Observation, Table};

const PAGE: &str = "docs/compared-with-rabbitmq.md";

#[test]
fn every_difference_to_rabbitmq_stands_in_the_table_and_nothing_else() {
    let client = has("node") && installed().join("node_modules/@stomp/stompjs").exists();
    let required = "PARLOR_REQUIRE_INTEROP";
    if !available("@stomp/stompjs", client, required) || !available("rabbitmq-server", Node::is_installed(), required) {
        return;
    }
    let theirs = {
        let node = Node::start();
        observe(&node.url())
    };
    let ours = {
        let broker = Server::broker(&[]);
        observe(&format!("ws://{}/ws", broker.addr))
    };
    let page = fs::read_to_string(root().join(PAGE)).expect("the page can be read");
    let faults = Table::read(&page).faults(&theirs, &ours);
    assert!(faults.is_empty(), "{PAGE} is not what was observed:\n{}", faults.join("\n"));
}

/// What a broker does in each scenario.
fn observe(url: &str) -> Vec<Observation> {
    let output = run_folder(Path::new("node"), "interop/compared", "main.mjs", &[("BROKER_URL", url.to_owned())]);
    output.lines().map(|line| serde_json::from_str(line).expect("each line is an observation")).collect()
}
