//! A PostgreSQL server of the tests' own: made for the test program that asks, in a folder of its own, and gone with it.
//!
//! PostgreSQL does not run as root: a root's tests run it as `postgres` or `nobody`. Where none is installed a test is skipped
//! with a word, or fails if `PARLOR_REQUIRE_POSTGRES` is set, as `.ci/run` sets it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test uses a part, and may fail"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// The owner of the server; the password needs percent-encoding.
const USER: &str = "study";
const PASSWORD: &str = "hush@hush/hush";
const ENCODED_PASSWORD: &str = "hush%40hush%2Fhush";

/// Starts that may lose their free port to somebody else.
const ATTEMPTS: u32 = 5;

/// Makes a server, starts it, says so, and takes everything away when the test program that holds its input has ended, however
/// it ends. A Ctrl-C at the tests must not end this script before its work.
const SCRIPT: &str = r#"
trap '' INT HUP TERM
folder=$(mktemp -d /tmp/study-room-postgres.XXXXXX) && cd "$folder" || exit 1
umask 077
printf '%s' "$3" >password
{
    "$1/initdb" --pgdata=data --username=study --pwfile=password --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync &&
    "$1/pg_ctl" start --pgdata=data --log=log --wait --options="-p $2 -k $folder -c listen_addresses=127.0.0.1 -c fsync=off \
        -c max_connections=60"
} >output 2>&1 && echo ready || cat output log
cat >/dev/null
"$1/pg_ctl" stop --pgdata=data --mode=immediate >/dev/null 2>&1
cd / && rm -rf "$folder"
"#;

/// A running server. It is shared by the tests of one program and ends with the program.
pub struct Cluster {
    port: u16,
    /// Holds the script's input; nothing needs to be done at the end.
    _script: Child,
}

impl Cluster {
    /// The server of this test program; `None`, with a word, where no PostgreSQL is installed.
    pub fn shared() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(|| programs().map(|folder| Self::start(&folder))).as_ref();
        if cluster.is_none() {
            let is_required = env::var_os("PARLOR_REQUIRE_POSTGRES").is_some();
            assert!(!is_required, "PARLOR_REQUIRE_POSTGRES is set and no PostgreSQL server is installed");
            eprintln!("SKIPPED: no PostgreSQL server is installed. On Debian: apt-get install postgresql");
        }
        cluster
    }

    /// The URL of a new database.
    pub fn new_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database, there or not.
    pub fn url(&self, database: &str) -> String {
        self.url_as(USER, ENCODED_PASSWORD, database)
    }

    /// The same for another user.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs a statement as the owner.
    pub fn run(&self, database: &str, statement: &str) {
        let output = Command::new(programs().unwrap().join("psql"))
            .args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-c", statement, &self.url(database)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn start(programs: &Path) -> Self {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut script = as_unprivileged()
                .args(["sh", "-c", SCRIPT, "postgres"])
                .arg(programs)
                .args([&port.to_string(), PASSWORD])
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // A dropped input would end it.
            let mut lines = BufReader::new(script.stdout.take().unwrap()).lines().map_while(Result::ok);
            let first = lines.next();
            if first.as_deref() == Some("ready") {
                return Self { port, _script: script };
            }
            drop(script.stdin.take());
            said = first.into_iter().chain(lines).collect::<Vec<_>>().join("\n");
            script.wait().unwrap();
        }
        panic!("PostgreSQL did not start:\n{said}");
    }
}

/// Where the server's programs are: in the path, or where Debian keeps them.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    debian.sort_by_key(|bin| bin.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok()));
    let candidates = debian.into_iter().rev().chain(env::split_paths(&path));
    candidates.into_iter().find(|bin| ["initdb", "pg_ctl", "psql"].iter().all(|program| bin.join(program).exists()))
}

/// `env`, run as somebody who is not root.
fn as_unprivileged() -> Command {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() != b"0" {
        return Command::new("env");
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--", "env"]);
    command
}
