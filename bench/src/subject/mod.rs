//! Servers under test: Parlor's broker example, the limit reference, and the peers of `bench/peers`.

mod peer;
mod server;
mod usage;

use std::{
    error::Error,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{cores::Cores, dialect::Language};

pub(crate) use peer::Peer;
pub(crate) use server::{Server, become_server};
pub(crate) use usage::{CpuTime, available_octets};

/// The name of Parlor's broker.
pub(crate) const PARLOR: &str = "parlor";
/// The name of the limit where each delivery is a write.
pub(crate) const LIMIT: &str = "limit";
/// The name of the limit where what comes at once goes in one write to each.
pub(crate) const LIMIT_COALESCING: &str = "limit-coalescing";

/// The name of the limit that answers each message with the same octets.
pub(crate) const LIMIT_ECHO: &str = "limit-echo";

/// A server that can be started, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) language: Language,
    program: OsString,
    arguments: Vec<OsString>,
    /// What stands before the port.
    port: Option<&'static str>,
}

/// Where programs are that are not built by this one.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The broker example.
    pub(crate) broker: PathBuf,
    /// Further options of it.
    pub(crate) broker_options: Vec<String>,
    /// The folder of the peers.
    pub(crate) peers: PathBuf,
}

impl Subject {
    /// The broker example with one worker. In its development profile: all the load comes from one address and anonymous
    /// clients, as fast as it can.
    pub(crate) fn parlor(programs: &Programs) -> Self {
        let fixed = ["--workers", "1", "--max-connections", "100000", "--profile", "dev"].map(OsString::from);
        let further = programs.broker_options.iter().map(OsString::from);
        Self {
            name: PARLOR.to_owned(),
            language: Language::new("stomp"),
            program: programs.broker.clone().into(),
            arguments: fixed.into_iter().chain(further).collect(),
            port: Some("--addr=127.0.0.1:"),
        }
    }

    /// The limit reference, which is this program under another command.
    pub(crate) fn limit(name: &str) -> Result<Self, Box<dyn Error>> {
        let mut arguments = vec![OsString::from("limit")];
        if name == LIMIT_COALESCING {
            arguments.push("--coalescing".into());
        }
        let mut language = Language::new("stomp");
        if name == LIMIT_ECHO {
            "raw-echo".clone_into(&mut language.dialect);
            "/echo".clone_into(&mut language.path);
        }
        Ok(Self {
            name: name.to_owned(),
            language,
            program: std::env::current_exe()?.into(),
            arguments,
            port: Some("--port="),
        })
    }

    /// An installed peer.
    pub(crate) fn peer(peer: &Peer) -> Self {
        Self {
            name: peer.name.clone(),
            language: peer.language.clone(),
            program: peer.start_script().into(),
            arguments: Vec::new(),
            port: None,
        }
    }

    /// The subject of a name. What is neither Parlor nor the limit is a peer, which is installed first.
    pub(crate) fn named(name: &str, programs: &Programs) -> Result<Self, Box<dyn Error>> {
        match name {
            PARLOR => Ok(Self::parlor(programs)),
            LIMIT | LIMIT_COALESCING | LIMIT_ECHO => Self::limit(name),
            _ => {
                let peers = Peer::all(&programs.peers)?;
                let Some(peer) = peers.iter().find(|peer| peer.folder_name() == name) else {
                    let names: Vec<_> = peers.iter().map(Peer::folder_name).collect();
                    return Err(format!(
                        "There is no subject {name}. There are {PARLOR}, {LIMIT}, {LIMIT_COALESCING}, {LIMIT_ECHO}, and in {}: {}.",
                        programs.peers.display(),
                        names.join(", ")
                    )
                    .into());
                };
                peer.install()?;
                Ok(Self::peer(peer))
            }
        }
    }

    /// The same with further options.
    pub(crate) fn with_options(mut self, options: &[String]) -> Self {
        self.arguments.extend(options.iter().map(OsString::from));
        self
    }

    /// Whether it takes the size of its frames from a publisher.
    pub(crate) fn is_limit(&self) -> bool {
        self.name.starts_with(LIMIT)
    }

    /// Starts it.
    pub(crate) fn start(&self, cores: Cores) -> Result<Server, Box<dyn Error>> {
        if !Path::new(&self.program).exists() && self.name == PARLOR {
            let program = Path::new(&self.program).display();
            return Err(format!("{program} is missing; run: cargo build --release --example broker").into());
        }
        Server::start(
            |port| {
                let mut command = Command::new(&self.program);
                command.args(&self.arguments).arg(format!("{}{port}", self.port.unwrap_or_default()));
                command
            },
            cores,
        )
    }
}
