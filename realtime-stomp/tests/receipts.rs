//! Chapters RCT, ERR and DIS: which receipt a frame asked for, what an ERROR says, and how a session ends.

mod support;

use parlor_stomp::{Command, Fault, Request, ServerState, Version, encode_receipt};
use support::{FROM_1_1, VERSIONS, connected, fault, feed, one, seen};

/// The receipt that a request asked for.
fn receipt(request: &Request) -> Option<&str> {
    match request {
        Request::Abort(transaction) | Request::Begin(transaction) | Request::Commit(transaction) => {
            transaction.receipt.as_deref()
        }
        Request::Ack(settle) | Request::Nack(settle) => settle.receipt.as_deref(),
        Request::Disconnect(disconnect) => disconnect.receipt.as_deref(),
        Request::Send(send) => send.receipt.as_deref(),
        Request::Subscribe(subscribe) => subscribe.receipt.as_deref(),
        Request::Unsubscribe(unsubscribe) => unsubscribe.receipt.as_deref(),
        other => panic!("{other:?} asks for no receipt"),
    }
}

/// A frame with every header that its command may need.
fn frame(command: &str, more: &str) -> String {
    format!("{command}\ndestination:/topic/a\nid:1\nmessage-id:2\nsubscription:3\ntransaction:4\n{more}\n\0")
}

/// RCT-01, RCT-04, DIS-01, DIS-03.
#[test]
fn a_request_has_the_receipt_that_was_asked_for_and_none_unasked() {
    for version in VERSIONS {
        for command in ["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "BEGIN", "COMMIT", "ABORT", "ACK", "DISCONNECT"] {
            let request = one(&mut connected(version), frame(command, "receipt:r 1\n"));
            assert_eq!(receipt(&request), Some("r 1"), "{command}");
            let request = one(&mut connected(version), frame(command, ""));
            assert_eq!(receipt(&request), None, "{command}");
        }
    }
}

/// RCT-02.
#[test]
fn nack_has_its_receipt_too() {
    for version in FROM_1_1 {
        assert_eq!(receipt(&one(&mut connected(version), frame("NACK", "receipt:r\n"))), Some("r"));
    }
}

/// RCT-03.
#[test]
fn requests_come_in_the_order_of_their_frames() {
    let mut session = connected(Version::V1_2);
    let octets: String = (0..100).map(|number| frame("SEND", &format!("receipt:{number}\n"))).collect();
    let requests = feed(&mut session, octets);
    let receipts: Vec<_> = requests.iter().filter_map(receipt).map(str::to_owned).collect();
    assert_eq!(receipts, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// RCT-06.
#[test]
fn the_same_receipt_may_be_asked_for_twice() {
    let requests = feed(&mut connected(Version::V1_2), frame("SEND", "receipt:r\n").repeat(2));
    assert!(requests.iter().all(|request| receipt(request) == Some("r")));
}

/// ALL-03, ALL-06.
#[test]
fn a_receipt_has_its_id_and_no_body() {
    for version in VERSIONS {
        let frame = seen(Some(version), &encode_receipt("r 1", version));
        assert_eq!((frame.command, frame.headers.len(), frame.body.len()), (Command::Receipt, 1, 0));
        assert_eq!(frame.headers.get("receipt-id"), Some("r 1"));
    }
}

/// ERR-01: whether the receipt stands before what is wrong or behind it.
#[test]
fn a_fault_has_the_receipt_of_the_bad_frame() {
    for octets in [
        "SEND\nreceipt:r\n\nx\0",
        "SUBSCRIBE\nreceipt:r\ndestination:/topic/a\n\n\0",
        "SEND\nreceipt:r\nname:\\t\n\nx\0",
        "SEND\nname:\\t\ndestination:/topic/a\nreceipt:r\n\nx\0",
        "SEND\nnonsense\nreceipt:r\n\nx\0",
        "SEND\nreceipt:r\ncontent-length:-1\n\nx\0",
        "SEND\ncontent-length:99999999\nreceipt:r\n\nx\0",
        "SEND\nreceipt:r\ncontent-length:1\n\nxyz\0",
        "NONSENSE\nreceipt:r\n\n\0",
        "MESSAGE\nreceipt:r\n\n\0",
    ] {
        for version in FROM_1_1 {
            assert_eq!(fault(&mut connected(version), octets).receipt.as_deref(), Some("r"), "{octets:?}");
        }
    }
}

/// ERR-01: nothing is taken for a receipt that is none.
#[test]
fn a_fault_has_no_receipt_that_was_not_asked_for() {
    for octets in [
        "SEND\nname:\\t\n\nreceipt:r\n\0",
        "SEND\nname:\\t\nx-receipt:r\n\nx\0",
        "NONSENSE\n\n\0SEND\nreceipt:r\n\n\0",
        "SEND\nname:\\t\nreceipt:cut of",
    ] {
        assert_eq!(fault(&mut connected(Version::V1_2), octets).receipt, None, "{octets:?}");
    }
}

/// ERR-01: the rest of a line that was cut is no line of its own.
#[test]
fn a_fault_takes_no_receipt_from_the_middle_of_a_line() {
    let mut session = connected(Version::V1_2);
    assert!(feed(&mut session, "SEND\nname:").is_empty());
    assert_eq!(fault(&mut session, "receipt:r\0").receipt, None);
}

/// ERR-02, DIS-04.
#[test]
fn nothing_comes_after_a_fault_or_a_disconnect() {
    for (last, state) in [("NONSENSE\n\n\0", ServerState::Failed), ("DISCONNECT\n\n\0", ServerState::Disconnected)] {
        for version in VERSIONS {
            let mut session = connected(version);
            let requests = feed(&mut session, [last, &frame("SEND", "")].concat());
            assert_eq!((requests.len(), session.state()), (1, state));
            assert!(feed(&mut session, frame("SEND", "")).is_empty());
            assert!(feed(&mut session, "NONSENSE\n\n\0").is_empty());
            assert_eq!((session.state(), session.version()), (state, Some(version)));
        }
    }
}

/// ERR-03.
#[test]
fn frames_before_the_bad_one_are_handed_out() {
    for version in VERSIONS {
        let octets = [&frame("SEND", "")[..], &frame("SUBSCRIBE", ""), "NONSENSE\n\n\0"].concat();
        let requests = feed(&mut connected(version), octets);
        let [Request::Send(_), Request::Subscribe(_), Request::Fault(_)] = &requests[..] else {
            panic!("{requests:?}")
        };
    }
}

/// ALL-08, ALL-09, ALL-11, ERR-01.
#[test]
fn an_error_has_a_message_a_code_and_a_counted_text() {
    for version in VERSIONS {
        let fault =
            Fault::new("some-code", "Something was wrong").with_detail("Do it right.\nAgain.").with_receipt("r");
        let encoded = fault.encode(version);
        let frame = seen(Some(version), &encoded);
        let got = |name| frame.headers.get(name);
        assert_eq!(frame.command, Command::Error);
        assert_eq!((got("message"), got("code")), (Some("Something was wrong"), Some("some-code")));
        assert_eq!((got("receipt-id"), got("version")), (Some("r"), None));
        assert!(got("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
        assert_eq!(got("content-length"), Some("19"));
        assert_eq!((&frame.body[..], encoded.text), (&b"Do it right.\nAgain."[..], true));
    }
}

#[test]
fn an_error_without_details_says_its_message_in_the_body() {
    let fault = Fault::new("some-code", "Something was wrong");
    assert_eq!(fault.to_string(), "some-code: Something was wrong");
    let frame = seen(Some(Version::V1_2), &fault.encode(Version::V1_2));
    assert_eq!((&frame.body[..], frame.headers.get("receipt-id")), (&b"Something was wrong"[..], None));
}
