//! Every diagnostic, as the compiler shows it: each file of `tests/ui` fails to compile with exactly its `.stderr`.
//!
//! The words of the compiler change from release to release, so only the one that the workspace is written for is asked.
//! `TRYBUILD=overwrite cargo test -p parlor-macros --test ui` writes the files anew, for a look at the difference.

use std::process::Command;

/// The release whose words are in `tests/ui`: the workspace's `rust-version`.
const RELEASE: &str = env!("CARGO_PKG_RUST_VERSION");

#[test]
fn each_mistake_is_explained_where_it_was_made() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("there is a compiler").stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    if !version.starts_with(&format!("rustc {RELEASE}.")) {
        eprintln!("SKIPPED: the expected words are those of rustc {RELEASE}, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
