//! Running servers. Only the one that is measured does anything; the others are stopped by a signal until it is their turn.

use std::{
    collections::{HashMap, HashSet},
    error::Error,
};

use crate::{
    cores::Cores,
    subject::{Server, Subject},
};

/// What a server is known by.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    name: String,
    options: Vec<String>,
}

/// Running servers, by what they are.
#[derive(Debug)]
pub(crate) struct Pool {
    cores: Cores,
    servers: HashMap<Key, Server>,
    /// What could not be started, and why: it is not tried again.
    failed: HashMap<Key, String>,
    /// Octets of a frame that were found out before.
    pub(super) frames: HashMap<String, usize>,
    run: u8,
}

impl Pool {
    pub(crate) fn new(cores: Cores) -> Self {
        Self { cores, servers: HashMap::new(), failed: HashMap::new(), frames: HashMap::new(), run: 0 }
    }

    /// A number that tells one round's messages from those of the 255 before.
    pub(super) fn next_run(&mut self) -> u8 {
        self.run = self.run.wrapping_add(1);
        self.run
    }

    /// The server of a subject, which goes on while the others stop; a new one where that is needed.
    pub(super) fn server(
        &mut self,
        subject: &Subject,
        options: &[String],
        fresh: bool,
    ) -> Result<&Server, Box<dyn Error>> {
        let key = Key { name: subject.name.clone(), options: options.to_vec() };
        if let Some(reason) = self.failed.get(&key) {
            return Err(reason.clone().into());
        }
        let has_ended = self.servers.get_mut(&key).is_some_and(Server::has_ended);
        if fresh || has_ended {
            self.servers.remove(&key);
        }
        for (other, server) in &self.servers {
            if *other != key {
                server.freeze();
            }
        }
        if !self.servers.contains_key(&key) {
            match subject.clone().with_options(options).start(self.cores) {
                Ok(server) => {
                    self.servers.insert(key.clone(), server);
                }
                Err(error) => {
                    self.failed.insert(key, error.to_string());
                    return Err(error);
                }
            }
        }
        let server = self.servers.get(&key).ok_or("the server is gone")?;
        server.thaw();
        Ok(server)
    }

    /// Ends all servers but those of these names: the next contest has others.
    pub(crate) fn keep_only(&mut self, names: &HashSet<&str>) {
        self.servers.retain(|key, _| names.contains(key.name.as_str()));
    }
}
