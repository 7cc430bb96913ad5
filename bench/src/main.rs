//! Measures servers from outside: `cargo run --release -p bench -- --help`.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    bench::main()
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::print_stderr, reason = "the terminal is this program's user interface")]
fn main() -> std::process::ExitCode {
    eprintln!("The bench reads /proc and waits by epoll: it runs on Linux only.");
    std::process::ExitCode::FAILURE
}
