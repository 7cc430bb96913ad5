//! What the tests with programs from outside share: finding them, or saying clearly why a test is skipped.

#![allow(dead_code, unreachable_pub, clippy::expect_used, reason = "each test file uses a part, and a test may fail")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// The longest that a script may run: several times what the slowest takes on two cores beside other tests.
const LONGEST: Duration = Duration::from_secs(420);

/// How long one that was too late may take to end what it has started; where that is a browser, what waits for a page fails and
/// says where. What it starts has pipes of its own: whoever holds the script's would hold up the test.
const FAREWELL: Duration = Duration::from_secs(15);

/// The root of the repository.
pub fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("ARCHITECTURE.md").exists()).expect("the package lies in the repository")
}

/// Where `tests/interop/setup` has put the clients.
pub fn installed() -> PathBuf {
    root().join("target/interop")
}

/// Whether a test can run; where it cannot, says so, or fails where `variable` demands that it runs.
#[expect(clippy::print_stderr, reason = "whoever runs the tests should read it")]
pub fn available(what: &str, present: bool, variable: &str) -> bool {
    if !present {
        assert!(env::var_os(variable).is_none(), "{variable} is set and {what} is missing");
        eprintln!("SKIPPED: {what} is missing. CONTRIBUTING.md says how to install it.");
    }
    present
}

/// A program of this workspace, built by `cargo test` beside the test itself.
pub fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test knows where it is");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    profile.join(name)
}

/// A running server, killed at the end of the test.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Server {
    /// Starts a program and waits until it prints an address behind `://`.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts; is it built?");
        let output = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let addr = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("://")?.1.split('/').next()?.parse().ok())
            .expect("the server says where it listens");
        // Whatever it prints later must not block it.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, addr }
    }

    /// Starts the broker example on a free port.
    pub fn broker(options: &[&str]) -> Self {
        Self::start(Command::new(built("examples/broker")).args(["--addr", "127.0.0.1:0"]).args(options))
    }

    /// The memory that it holds now, in KiB.
    #[cfg(target_os = "linux")]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel counts it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Stops it as an operator would, and waits until it is gone.
    pub fn stop(self) {
        self.terminate();
        self.wait();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(killed.success());
    }

    /// Waits until it has ended well.
    pub fn wait(mut self) {
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script of several files, which are a folder of `tests/`, and returns what it printed; panics where it fails.
pub fn run_folder(program: &Path, folder: &str, script: &str, variables: &[(&str, String)]) -> String {
    let source = root().join("tests").join(folder);
    let copy = installed().join(source.file_name().expect("a folder has a name"));
    fs::create_dir_all(&copy).expect("a folder beside the clients");
    for file in fs::read_dir(&source).expect("the folder can be read") {
        let file = file.expect("the folder can be read");
        fs::copy(file.path(), copy.join(file.file_name())).expect("the script can be copied beside the clients");
    }
    run(program, &copy.join(script), variables)
}

/// Runs a script where it lies, beside those that it needs; `INSTALLED` tells it where the clients are. Panics where it fails.
pub fn run_in_place(program: &Path, script: &str, variables: &[(&str, String)]) {
    let clients = ("INSTALLED", installed().display().to_string());
    show(&run(program, &root().join("tests").join(script), &[variables, &[clients]].concat()));
}

#[expect(clippy::print_stdout, reason = "the script's own lines say what was checked")]
fn show(printed: &str) {
    println!("{printed}");
}

fn run(program: &Path, script: &Path, variables: &[(&str, String)]) -> String {
    let child = Command::new(program)
        .arg(script)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script runs");
    let id = child.id().to_string();
    let (end, ended) = mpsc::channel::<()>();
    // Else one that waits for what never comes would hold up all tests, and nobody would read what it printed.
    let watch = thread::spawn(move || {
        let is_ended_late = |patience, signal: &str| {
            ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout)
                && Command::new("kill").args([signal, &id]).status().expect("kill runs").success()
        };
        let is_late = is_ended_late(LONGEST, "-TERM");
        if is_late {
            is_ended_late(FAREWELL, "-KILL");
        }
        is_late
    });
    let output = child.wait_with_output().expect("the script ends");
    drop(end);
    let is_late = watch.join().expect("the watch ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let late = if is_late { format!(" within {} s", LONGEST.as_secs()) } else { String::new() };
    assert!(output.status.success(), "{} has not succeeded{late}:\n{text}\n{errors}", script.display());
    text.into_owned()
}

/// Whether a program can be started.
pub fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}
