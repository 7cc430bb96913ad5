//! Rule 10, over real sockets: once the RECEIPT of a SUBSCRIBE is there, every message that is accepted comes.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests, too, fail by panicking")]

mod support;

use std::{net::TcpStream, thread};

use parlor_core::{Config, app::Rules, auth::Anonymous};
use parlor_hyper::WebSocketService;
use support::{Server, endpoint, read_text};
use tungstenite::{Message, WebSocket};

const ITERATIONS: usize = 10_000;

/// Clients at the same time, each with a publisher of its own.
const CLIENTS: usize = 8;

fn send(socket: &mut WebSocket<TcpStream>, frame: &str) {
    socket.send(Message::text(format!("{frame}\0"))).unwrap();
}

fn connect(server: &Server) -> WebSocket<TcpStream> {
    let mut socket = server.connect(&[]);
    socket.get_ref().set_nodelay(true).unwrap();
    send(&mut socket, "CONNECT\naccept-version:1.2\n\n");
    assert!(read_text(&mut socket).starts_with("CONNECTED"));
    socket
}

#[test]
fn rule_10_ten_thousand_messages_right_after_the_receipt_of_subscribe_are_all_received() {
    let rules = Rules::deny_all().allow_subscribe("/topic/**").allow_send("/topic/**");
    let realtime = endpoint().config(Config::development()).authorize(rules).authenticate(Anonymous).build().unwrap();
    let server = Server::start(&realtime, WebSocketService::new(&realtime));
    let received: usize = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (broker, server) = (realtime.broker(), &server);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let (mut listener, mut publisher) = (connect(server), connect(server));
                    // Two clients share each destination, so that it is not always one that nobody listens to.
                    let topic = format!("/topic/{}", client / 2);
                    for number in 0..ITERATIONS / CLIENTS {
                        let body = format!("{client}-{number}");
                        send(&mut listener, &format!("SUBSCRIBE\nid:{body}\ndestination:{topic}\nreceipt:{body}\n\n"));
                        loop {
                            let frame = read_text(&mut listener);
                            if frame.starts_with("RECEIPT") {
                                assert!(frame.contains(&body), "{frame}");
                                break;
                            }
                        }
                        if number % 2 == 0 {
                            runtime.block_on(broker.publish(topic.as_str(), &body)).unwrap();
                        } else {
                            send(&mut publisher, &format!("SEND\ndestination:{topic}\n\n\"{body}\""));
                        }
                        while !read_text(&mut listener).contains(&format!("\n\n\"{body}\"")) {}
                        send(&mut listener, &format!("UNSUBSCRIBE\nid:{body}\n\n"));
                    }
                    ITERATIONS / CLIENTS
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(received, ITERATIONS);
}
