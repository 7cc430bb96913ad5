//! Chapters ACK and NACK: the headers that name a message, by version.

mod support;

use parlor_stomp::{Request, Settle, Version};
use support::{FROM_1_1, VERSIONS, code, connected, one};

fn settle(version: Version, octets: &str) -> Settle {
    match one(&mut connected(version), octets) {
        Request::Ack(settle) | Request::Nack(settle) => settle,
        other => panic!("an ACK or NACK was expected, not {other:?}"),
    }
}

/// ACK-05, NACK-03.
#[test]
fn version_1_2_names_a_message_by_its_ack_value() {
    for command in ["ACK", "NACK"] {
        let settle = settle(Version::V1_2, &format!("{command}\nid:a\\c1\n\n\0"));
        assert_eq!((&settle.message[..], settle.subscription), ("a:1", None));
        assert_eq!(code(Version::V1_2, format!("{command}\nmessage-id:1\nsubscription:2\n\n\0")), "missing-header");
        assert_eq!(code(Version::V1_2, format!("{command}\nid:\n\n\0")), "missing-header");
    }
}

/// ACK-05, NACK-03.
#[test]
fn version_1_1_names_a_message_by_message_id_and_subscription() {
    for command in ["ACK", "NACK"] {
        let settle = settle(Version::V1_1, &format!("{command}\nmessage-id:1\nsubscription:2\n\n\0"));
        assert_eq!((&settle.message[..], settle.subscription.as_deref()), ("1", Some("2")));
        for headers in ["", "message-id:1\n", "subscription:2\n", "id:1\n"] {
            assert_eq!(code(Version::V1_1, format!("{command}\n{headers}\n\0")), "missing-header");
        }
    }
}

/// ACK-05, V10-02.
#[test]
fn version_1_0_names_a_message_by_message_id_alone() {
    let settle = settle(Version::V1_0, "ACK\nmessage-id:1\n\n\0");
    assert_eq!((&settle.message[..], settle.subscription), ("1", None));
    assert_eq!(code(Version::V1_0, "ACK\nid:1\n\n\0"), "missing-header");
}

/// NACK-05: a fault, as 1.0 does not know the command.
#[test]
fn version_1_0_has_no_nack() {
    assert_eq!(code(Version::V1_0, "NACK\nmessage-id:1\n\n\0"), "unknown-command");
}

/// ACK and NACK are two requests, for all that they hold the same.
#[test]
fn ack_and_nack_are_told_apart() {
    for version in FROM_1_1 {
        let octets = |command| format!("{command}\nid:1\nmessage-id:1\nsubscription:2\n\n\0");
        assert!(matches!(one(&mut connected(version), octets("ACK")), Request::Ack(_)));
        assert!(matches!(one(&mut connected(version), octets("NACK")), Request::Nack(_)));
    }
}

/// TX-13 to TX-15, here: the transaction is handed on.
#[test]
fn ack_may_belong_to_a_transaction() {
    for version in VERSIONS {
        let settle = settle(version, "ACK\nid:1\nmessage-id:1\nsubscription:2\ntransaction:t\n\n\0");
        assert_eq!(settle.transaction.as_deref(), Some("t"));
    }
}
