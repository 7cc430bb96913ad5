//! Chapters CON, NEG and V10: opening a session and agreeing on a version.

mod support;

use parlor_stomp::{
    Command, Connect, Connected, HeartBeat, Request, ServerConfig, ServerSession, ServerState, Version,
};
use support::{VERSIONS, connected, fault, feed, fresh, one, seen};

fn connect(octets: &str) -> Connect {
    match one(&mut fresh(), octets) {
        Request::Connect(connect) => connect,
        other => panic!("a CONNECT was expected, not {other:?}"),
    }
}

fn answer(version: Version) -> Connected<'static> {
    let heart_beat = HeartBeat { can_send_ms: 10_000, wants_ms: 5_000 };
    Connected { version, session: "s-1", server: "parlor/0.1.0", heart_beat, user_name: None }
}

/// CON-01.
#[test]
fn stomp_opens_a_session_as_connect_does() {
    for command in ["CONNECT", "STOMP"] {
        let connect = connect(&format!("{command}\naccept-version:1.1,1.2\nhost:example.org\n\n\0"));
        assert_eq!((connect.version, connect.host.as_deref()), (Version::V1_2, Some("example.org")));
    }
}

/// CON-02.
#[test]
fn connected_names_the_version_of_the_session() {
    for version in VERSIONS {
        let frame = seen(None, &answer(version).encode());
        assert_eq!(frame.command, Command::Connected);
        assert_eq!(frame.headers.get("version"), Some(version.as_str()));
    }
}

/// CON-03, V10-01, ALL-03.
#[test]
fn connected_names_session_and_server_and_has_no_body() {
    for version in VERSIONS {
        let frame = seen(None, &answer(version).encode());
        assert_eq!(frame.headers.get("session"), Some("s-1"));
        assert_eq!(frame.headers.get("server"), Some("parlor/0.1.0"));
        assert!(frame.body.is_empty());
    }
}

#[test]
fn connected_names_the_user_where_one_is_known() {
    let frame = seen(None, &Connected { user_name: Some("ada"), ..answer(Version::V1_2) }.encode());
    assert_eq!(frame.headers.get("user-name"), Some("ada"));
}

/// CON-04.
#[test]
fn another_first_frame_than_connect_is_a_fault() {
    let mut session = fresh();
    let fault = fault(&mut session, "SEND\ndestination:/topic/a\nreceipt:r\n\nx\0");
    assert_eq!((&fault.code[..], fault.receipt.as_deref()), ("not-connected", Some("r")));
    assert_eq!(session.state(), ServerState::Failed);
    assert!(feed(&mut session, "CONNECT\n\n\0").is_empty());
}

/// CON-05.
#[test]
fn a_second_connect_is_a_fault() {
    for version in VERSIONS {
        for command in ["CONNECT", "STOMP"] {
            let mut session = connected(version);
            assert_eq!(fault(&mut session, format!("{command}\naccept-version:1.2\n\n\0")).code, "already-connected");
        }
    }
}

/// CON-06.
#[test]
fn headers_of_connect_are_never_unescaped() {
    let connect = connect("CONNECT\naccept-version:1.2\nlogin:C:\\temp\nhost:http://h:80/\\n\n\n\0");
    assert_eq!(connect.login.as_deref(), Some("C:\\temp"));
    assert_eq!(connect.host.as_deref(), Some("http://h:80/\\n"));
}

/// CON-06: nor are those of a second CONNECT, whose undefined escapes are no fault of their own.
#[test]
fn a_second_connect_is_refused_as_such_and_not_for_its_escapes() {
    let mut session = connected(Version::V1_2);
    assert_eq!(fault(&mut session, "CONNECT\nlogin:C:\\temp\n\n\0").code, "already-connected");
}

/// CON-07.
#[test]
fn connect_may_have_either_line_end() {
    for version in VERSIONS {
        let connect = connect(&format!("CONNECT\r\naccept-version:{version}\r\nhost:/\r\n\r\n\0"));
        assert_eq!((connect.version, connect.host.as_deref()), (version, Some("/")));
    }
}

/// CON-08.
#[test]
fn connect_needs_no_host() {
    assert_eq!(connect("CONNECT\naccept-version:1.2\n\n\0").host, None);
}

/// CON-09.
#[test]
fn line_ends_before_the_first_frame_are_skipped() {
    assert_eq!(connect("\n\r\n\n\nCONNECT\naccept-version:1.1\n\n\0").version, Version::V1_1);
}

/// CON-10.
#[test]
fn unknown_headers_of_connect_are_kept_and_do_no_harm() {
    let connect = connect("CONNECT\naccept-version:1.2\nx-client:best\n\n\0");
    assert_eq!(connect.headers.get("x-client"), Some("best"));
}

/// CON-11.
#[test]
fn a_receipt_of_connect_is_no_fault_and_is_not_answered() {
    assert_eq!(connect("CONNECT\naccept-version:1.2\nreceipt:r\n\n\0").version, Version::V1_2);
    let refused = fault(&mut fresh(), "CONNECT\naccept-version:9.9\nreceipt:r\n\n\0");
    assert_eq!(refused.receipt, None);
}

/// CON-14.
#[test]
fn values_of_connected_are_not_escaped() {
    for version in VERSIONS {
        let encoded = Connected { user_name: Some("DOMAIN\\ada:1"), ..answer(version) }.encode();
        assert!(encoded.bytes.windows(23).any(|window| window == b"\nuser-name:DOMAIN\\ada:1"), "{encoded:?}");
    }
}

/// S-03: as they are not escaped, what would break the line is left out.
#[test]
fn a_value_of_connected_cannot_add_a_header_or_end_the_frame() {
    for version in VERSIONS {
        let encoded = Connected { user_name: Some("eve\r\n\nadmin:yes\0"), ..answer(version) }.encode();
        let frame = seen(None, &encoded);
        assert_eq!(frame.headers.get("user-name"), Some("eveadmin:yes"));
        assert_eq!(frame.headers.get("admin"), None);
    }
}

/// NEG-01.
#[test]
fn the_highest_common_version_is_taken() {
    let cases = [
        (None, Some(Version::V1_0)),
        (Some("1.0"), Some(Version::V1_0)),
        (Some("1.1"), Some(Version::V1_1)),
        (Some("1.0,1.1,1.2"), Some(Version::V1_2)),
        (Some("1.2,1.0"), Some(Version::V1_2)),
        (Some("1.1,1.0"), Some(Version::V1_1)),
        (Some("1.0, 1.1"), Some(Version::V1_1)),
        (Some("0.9,1.1,1.3,2.0"), Some(Version::V1_1)),
        (Some("1.10"), None),
        (Some("1.2.0"), None),
        (Some("2.0"), None),
        (Some(""), None),
    ];
    for (offer, version) in cases {
        assert_eq!(Version::negotiate(offer), version, "{offer:?}");
    }
}

/// NEG-01: no list means 1.0, in the session too.
#[test]
fn connect_without_a_list_of_versions_opens_a_session_of_1_0() {
    assert_eq!(connect("CONNECT\n\n\0").version, Version::V1_0);
}

/// NEG-02, NEG-03.
#[test]
fn no_common_version_is_a_fault_that_lists_those_spoken() {
    let mut session = fresh();
    let refused = fault(&mut session, "CONNECT\naccept-version:1.10,2.0\n\n\0");
    assert_eq!(refused.code, "version-not-supported");
    assert_eq!((session.state(), session.version()), (ServerState::Failed, None));
    let error = seen(Some(Version::V1_2), &refused.encode(Version::V1_2));
    assert_eq!((error.command, error.headers.get("version")), (Command::Error, Some("1.0,1.1,1.2")));
}

/// What a client pipelines behind CONNECT is read by the agreed rules already.
#[test]
fn frames_behind_connect_in_the_same_piece_follow_the_agreed_version() {
    let mut session = ServerSession::new(ServerConfig::default());
    let octets = "CONNECT\naccept-version:1.1\n\n\0SEND\ndestination:/topic/a\\cb\n\nhi\0";
    let requests = feed(&mut session, octets);
    let [Request::Connect(_), Request::Send(send)] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(send.destination, "/topic/a:b");
}

#[test]
fn credentials_are_never_shown() {
    let request = one(&mut fresh(), "CONNECT\naccept-version:1.2\nlogin:ada-login\npasscode:hush-hush\n\n\0");
    let Request::Connect(connect) = &request else { panic!("{request:?}") };
    assert_eq!((connect.login.as_deref(), connect.passcode.as_deref()), (Some("ada-login"), Some("hush-hush")));
    for shown in [format!("{request:?}"), format!("{connect:#?}"), format!("{:?}", connect.headers)] {
        assert!(!shown.contains("hush") && !shown.contains("ada-login"), "{shown}");
    }
}
