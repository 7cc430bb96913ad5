//! A RabbitMQ of its own: nothing of it is shared with one that runs on this machine, and nothing of it stays.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    thread,
};

/// The script itself: the one in the path would change to the system's user and folders.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Said when plug-ins accept connections.
const STARTED: &str = "Server startup complete";

/// A running node and its port mapper, both killed at the end.
pub(crate) struct Node {
    mapper: Child,
    server: Child,
    folder: PathBuf,
    port: u16,
}

impl Node {
    pub(crate) fn is_installed() -> bool {
        Path::new(SERVER).exists()
    }

    /// Starts a node on free ports, and waits until it accepts connections.
    pub(crate) fn start() -> Self {
        let [port, distribution, mapper_port] = free_ports();
        let folder = env::temp_dir().join(format!("parlor-rabbitmq-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for the node");
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a file for the node");
            path
        };
        // Text frames would be no valid UTF-8 where a body is binary.
        let settings = format!(
            "listeners.tcp = none\nstomp.listeners.tcp = none\nweb_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {port}\n\
             web_stomp.ws_frame = binary\nlog.console = true\nlog.console.level = info\n"
        );
        let mapper_port = mapper_port.to_string();
        // Started by the node, it would go on without it.
        let mapper = Command::new("epmd")
            .args(["-port", &mapper_port, "-address", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd starts");
        let mut server = Command::new(SERVER)
            .current_dir(&folder)
            .env("HOME", &folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", &mapper_port)
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf", &settings))
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins", "[rabbitmq_web_stomp].\n"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_NODENAME", "parlor@localhost")
            // The script is replaced by the node then, which so is the process that is killed.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("RabbitMQ starts");
        let output = server.stdout.take().expect("its output is piped");
        let node = Self { mapper, server, folder, port };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if line.contains(STARTED) {
                // Whatever it prints later must not block it.
                thread::spawn(move || lines.for_each(drop));
                return node;
            }
            said.push(line);
        }
        panic!("RabbitMQ has ended instead of starting:\n{}", said.join("\n"));
    }

    /// Where its STOMP over WebSocket is.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/ws", self.port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.mapper] {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        // What stays in the folder for temporary files does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Ports that nobody listens at now, all different.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
