//! Chapter TX, as far as it is the protocol's: the frames and their headers.

mod support;

use parlor_stomp::Request;
use support::{VERSIONS, code, connected, feed};

/// TX-06.
#[test]
fn begin_commit_and_abort_need_a_transaction() {
    for version in VERSIONS {
        for command in ["BEGIN", "COMMIT", "ABORT"] {
            assert_eq!(code(version, format!("{command}\n\n\0")), "missing-header");
            assert_eq!(code(version, format!("{command}\ntransaction:\n\n\0")), "missing-header");
        }
    }
}

/// TX-01, TX-10, here: every frame says which transaction it belongs to.
#[test]
fn transactions_are_handed_on_with_their_ids() {
    for version in VERSIONS {
        let requests = feed(
            &mut connected(version),
            "BEGIN\ntransaction:t 1\n\n\0BEGIN\ntransaction:t 2\n\n\0\
             SEND\ndestination:/topic/a\ntransaction:t 1\n\nx\0\
             COMMIT\ntransaction:t 1\n\n\0ABORT\ntransaction:t 2\n\n\0",
        );
        let [
            Request::Begin(first),
            Request::Begin(second),
            Request::Send(send),
            Request::Commit(commit),
            Request::Abort(abort),
        ] = &requests[..]
        else {
            panic!("{requests:?}")
        };
        assert_eq!((&first.id[..], &commit.id[..], send.transaction.as_deref()), ("t 1", "t 1", Some("t 1")));
        assert_eq!((&second.id[..], &abort.id[..]), ("t 2", "t 2"));
    }
}
