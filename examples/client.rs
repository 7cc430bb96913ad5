//! A client for the terminal: `cargo run --example client --features client -- ws://127.0.0.1:8080/ws /topic/chat`.
//!
//! It prints what comes from a destination, sends each line that it reads there, and says when the connection was lost and
//! whether something may be missing. `cargo run --example broker` is a server for it; stop and start that.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use std::{env, error::Error, time::Duration};

use parlor::client::{Client, ConnectionState, ReconnectPolicy, SubscriptionEvent};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:8080/ws".to_owned());
    let destination = arguments.next().unwrap_or_else(|| "/topic/chat".to_owned());
    let client =
        Client::builder(address).reconnect(ReconnectPolicy::default().max(Duration::from_secs(5))).connect().await?;
    let mut events = client.subscribe(&destination).await?.events();
    let mut state = client.state();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    println!("connected; what you write goes to {destination}, and the end of input ends this");
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(SubscriptionEvent::Message(message)) => println!("> {}", message.text().unwrap_or("(binary)")),
                Some(SubscriptionEvent::Resumed { recovered: true }) => println!("(back, and nothing is missing)"),
                Some(SubscriptionEvent::Resumed { .. }) => println!("(back; something may be missing here)"),
                Some(SubscriptionEvent::Ended(refusal)) => println!("(the subscription has ended: {refusal})"),
                Some(_) => {}
                None => break,
            },
            Ok(()) = state.changed() => {
                if let ConnectionState::Reconnecting { cause, delay, .. } = &*state.borrow_and_update() {
                    println!("({cause}; trying again in {delay:.1?})");
                }
            }
            line = lines.next_line() => match line? {
                // Not awaited here: the messages above are read meanwhile.
                Some(line) => {
                    let sending = client.send(&destination).text(line).receipt();
                    #[expect(clippy::disallowed_methods, reason = "it ends with the receipt, or the time for it")]
                    tokio::spawn(async move {
                        if let Err(error) = sending.await {
                            println!("({error})");
                        }
                    });
                }
                None => break,
            },
        }
    }
    client.close().await?;
    Ok(())
}
