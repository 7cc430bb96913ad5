//! CON, NEG, V10: opening a session and agreeing on a version.

use std::collections::HashSet;

use crate::{
    client::{Client, SINCE_1_1, VERSIONS},
    support::Server,
};

#[test]
fn con_01_stomp_opens_a_session_as_connect_does() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        Client::open(&broker).connect(&format!("STOMP\naccept-version:{version}\nhost:example.org\n\n"), version);
    }
}

#[test]
fn con_02_connected_has_the_version_of_the_session() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        // `connect` looks at the header.
        Client::session(&broker, version);
    }
}

#[test]
fn con_03_server_is_a_name_with_a_version_and_session_is_unique() {
    let broker = Server::broker(&[]);
    let mut sessions = HashSet::new();
    for version in VERSIONS {
        let connected =
            Client::open(&broker).connect(&format!("CONNECT\naccept-version:{version}\nhost:/\n\n"), version);
        let server = connected.header("server").expect("the server names itself");
        assert!(server.starts_with("parlor/") && !server.contains(' '), "{server:?}");
        assert!(sessions.insert(connected.header("session").expect("V10-01: a session id").to_owned()));
    }
}

#[test]
fn con_04_a_first_frame_other_than_connect_is_an_error_without_effect() {
    let broker = Server::broker(&[]);
    let mut observer = Client::session(&broker, "1.2");
    observer.subscribe("1", "/topic/a");
    for frame in [
        "SEND\ndestination:/topic/a\n\ntoo early",
        "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n",
        "DISCONNECT\nreceipt:1\n\n",
        "ACK\nid:1\n\n",
        "BEGIN\ntransaction:1\n\n",
    ] {
        let mut client = Client::open(&broker);
        client.send(frame);
        client.expect_error("not-connected");
    }
    observer.expect_nothing_before_own("/topic/a");
}

#[test]
fn con_05_a_second_connect_is_an_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        for command in ["CONNECT", "STOMP"] {
            let mut client = Client::session(&broker, version);
            client.send(&format!("{command}\naccept-version:1.0,1.1,1.2\nhost:/\nreceipt:c\n\n"));
            let error = client.expect_error("already-connected");
            assert_eq!(error.header("receipt-id"), Some("c"), "a fault as any other (ERR-01)");
        }
    }
}

#[test]
fn con_06_headers_of_connect_are_never_unescaped() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        let login = "login:C:\\temp\npasscode:\\\nhost:http://h:80/";
        Client::open(&broker).connect(&format!("CONNECT\naccept-version:{version}\n{login}\n\n"), version);
    }
}

#[test]
fn con_07_connect_may_have_cr_lf_line_ends() {
    let broker = Server::broker(&[]);
    Client::open(&broker).connect("CONNECT\r\naccept-version:1.2\r\nhost:/\r\n\r\n", "1.2");
}

#[test]
fn con_08_connect_needs_no_host() {
    let broker = Server::broker(&[]);
    for version in SINCE_1_1 {
        Client::open(&broker).connect(&format!("CONNECT\naccept-version:{version}\n\n"), version);
    }
}

#[test]
fn con_09_line_ends_before_the_first_frame_are_skipped() {
    let broker = Server::broker(&[]);
    for line_ends in ["\n", "\n\n\n", "\r\n\r\n"] {
        let mut client = Client::open(&broker);
        client.text(line_ends);
        client.connect(&format!("{line_ends}CONNECT\naccept-version:1.2\n\n"), "1.2");
    }
}

#[test]
fn con_10_unknown_headers_of_connect_are_ignored() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let odd = "odd:thing\nclient-id:7\nOdd:";
        Client::open(&broker).connect(&format!("CONNECT\naccept-version:{version}\n{odd}\n\n"), version);
    }
}

#[test]
fn con_11_a_receipt_of_connect_draws_neither_receipt_nor_error() {
    let broker = Server::broker(&[]);
    for version in VERSIONS {
        let mut client = Client::open(&broker);
        client.connect(&format!("CONNECT\naccept-version:{version}\nreceipt:c\n\n"), version);
        client.subscribe("1", "/topic/a");
    }
}

#[test]
fn con_12_clients_that_come_and_go_are_served() {
    let broker = Server::broker(&[]);
    for round in 0..60 {
        let mut client = Client::session(&broker, VERSIONS[round % 3]);
        match round % 4 {
            0 => drop(client),
            1 => drop(client.into_stream()),
            2 => {
                client.send("DISCONNECT\n\n");
                assert_eq!(client.closed(), 1000);
            }
            _ => client.send("DISCONNECT\nreceipt:bye\n\n"),
        }
    }
    Client::session(&broker, "1.2").subscribe("1", "/topic/a");
}

#[test]
fn con_13_a_client_that_does_not_connect_in_time_is_closed() {
    let broker = Server::broker(&["--connect-timeout", "300ms"]);
    Client::open(&broker).expect_error("connect-timeout");
    let mut slow = Client::open(&broker);
    slow.text("CONNECT\naccept-version:1.2\n");
    slow.expect_error("connect-timeout");
}

#[test]
fn neg_01_the_highest_common_version_is_taken() {
    let broker = Server::broker(&[]);
    for (offer, version) in [
        ("accept-version:1.0,1.1,1.2\n", "1.2"),
        ("accept-version:1.2,1.0,1.1\n", "1.2"),
        ("accept-version:1.1,1.0\n", "1.1"),
        ("accept-version:1.0\n", "1.0"),
        ("accept-version:9.9,1.1,2.0\n", "1.1"),
        ("accept-version:1.10,1.0\n", "1.0"),
        ("", "1.0"),
    ] {
        Client::open(&broker).connect(&format!("CONNECT\n{offer}host:/\n\n"), version);
    }
}

#[test]
fn neg_02_no_common_version_is_an_error() {
    let broker = Server::broker(&[]);
    for offer in ["2.0", "1.10", "0.9,3.0", "1", ""] {
        let mut client = Client::open(&broker);
        client.send(&format!("CONNECT\naccept-version:{offer}\nhost:/\n\n"));
        client.expect_error("version-not-supported");
    }
}

#[test]
fn neg_03_that_error_lists_the_versions_of_the_server() {
    let broker = Server::broker(&[]);
    let mut client = Client::open(&broker);
    client.send("CONNECT\naccept-version:2.0\nhost:/\n\n");
    let error = client.expect_error("version-not-supported");
    let versions: Vec<_> = error.header("version").expect("a list of versions").split(',').collect();
    assert_eq!(versions, VERSIONS);
}

#[test]
fn v10_03_sessions_of_all_versions_share_destinations() {
    let broker = Server::broker(&[]);
    let mut clients = VERSIONS.map(|version| Client::session(&broker, version));
    for client in &mut clients {
        client.subscribe("1", "/topic/a");
    }
    for sender in 0..clients.len() {
        clients[sender].send("SEND\ndestination:/topic/a\n\nto all");
        for client in &mut clients {
            client.expect_text("to all");
        }
    }
}
