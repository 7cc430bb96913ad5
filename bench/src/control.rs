//! The two connections of `parlor-client` beside the load: the publisher, and a witness who judges what is delivered.
//!
//! The readers of the load stay on the bare state machine. A thousand of them share one thread: a task, a channel and a
//! message of its own for each delivery would make this program the bottleneck, and not the broker. Two connections cost one
//! delivery in a thousand.

use std::{cell::RefCell, error::Error, net::SocketAddr, rc::Rc};

use parlor_client::{Client, ReconnectPolicy, Refusal, Subscription};
use tokio::sync::broadcast::Receiver;

/// Messages that the witness may lag behind: far more than are ever in flight.
const BUFFER: usize = 4096;

/// A client that ends with its connection: what was measured over a reconnect would say nothing.
async fn connect(address: SocketAddr) -> Result<Client, Box<dyn Error>> {
    Ok(Client::builder(format!("ws://{address}/ws")).reconnect(ReconnectPolicy::never()).connect().await?)
}

/// Publishes numbered messages.
pub(crate) struct Publisher {
    client: Client,
    refusals: Receiver<Refusal>,
    destination: &'static str,
    body: usize,
    next: u64,
}

impl Publisher {
    pub(crate) async fn connect(
        address: SocketAddr,
        destination: &'static str,
        body: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let client = connect(address).await?;
        let refusals = client.refusals();
        Ok(Self { client, refusals, destination, body, next: 0 })
    }

    /// Publishes the next message. An error may be that of one before.
    pub(crate) async fn publish(&mut self) -> Result<(), Box<dyn Error>> {
        self.client.send(self.destination).body(numbered(self.next, self.body)).await?;
        self.next += 1;
        match self.refusals.try_recv() {
            Ok(refusal) => Err(format!("the broker refused a message: {refusal}").into()),
            Err(_) => Ok(()),
        }
    }
}

/// What the witness found, once there is something wrong.
#[derive(Clone, Default)]
pub(crate) struct Verdict(Rc<RefCell<Option<String>>>);

impl Verdict {
    /// # Errors
    /// What is wrong.
    pub(crate) fn judge(&self) -> Result<(), Box<dyn Error>> {
        self.0.borrow().clone().map_or(Ok(()), |fault| Err(fault.into()))
    }
}

/// Reads along and judges: every message comes, once, in its order.
pub(crate) struct Witness {
    subscription: Subscription,
    body: usize,
    next: u64,
    verdict: Verdict,
    _client: Client,
}

impl Witness {
    pub(crate) async fn connect(
        address: SocketAddr,
        destination: &'static str,
        body: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let client = connect(address).await?;
        let subscription = client.subscribe(destination).buffer(BUFFER).await?;
        Ok(Self { subscription, body, next: 0, verdict: Verdict::default(), _client: client })
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Reads until something is wrong; calls `delivered` for each message.
    pub(crate) async fn watch(mut self, delivered: impl Fn()) {
        while let Some(message) = self.subscription.recv().await {
            if message.body()[..] != numbered(self.next, self.body) {
                let fault = format!("the witness was given another message than the {}th", self.next);
                *self.verdict.0.borrow_mut() = Some(fault);
                return;
            }
            self.next += 1;
            delivered();
        }
        *self.verdict.0.borrow_mut() = Some("the witness lost its connection".to_owned());
    }
}

/// A body of so many octets that ends with the number, or as much of it as there is room for.
fn numbered(number: u64, octets: usize) -> Vec<u8> {
    let text = format!("{number:0>octets$}").into_bytes();
    text[text.len() - octets..].to_vec()
}
