# One recipe for each step of CI. `.ci/run` installs what they need and runs them in this order.

# Lists the recipes.
default:
    @just --list

# The formatting of every file.
fmt:
    cargo fmt --all --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml
    cargo fmt --check --manifest-path tests/crypto-providers/Cargo.toml
    cargo fmt --check --manifest-path bench/peers/axum/Cargo.toml
    cargo fmt --check --manifest-path bench/peers/socketioxide/Cargo.toml

# Clippy, with warnings as errors: everything with every feature, as for the documentation, which shares what it depends on; and
# what is left with none.
clippy:
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo clippy -p parlor -p parlor-client --no-default-features -- -D warnings

# The README's test command: unit, property, documentation and integration tests, real clients and browsers included.
test:
    cargo test --workspace

# The documentation, with warnings as errors.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features

# The protocol crate does no I/O.
purity:
    scripts/check-purity

# The modules of each crate form no circle.
cycles:
    scripts/check-cycles

# Tokens are verified where an application has switched on both providers of jsonwebtoken.
crypto:
    scripts/check-crypto-providers

# Every file that ARCHITECTURE.md names exists, every code in docs/codes.md is the program's, and public items have examples.
names:
    scripts/check-names
    scripts/check-examples

# The study room's scripts that need no browser: frames, the text of messages, the timer's arithmetic, who types, the inbox.
page:
    node --test examples/study-room/web-tests/*.test.mjs

# The README's first command really starts the study room.
readme:
    scripts/check-study-room

# The published packages are complete.
package:
    scripts/check-packages

# A minute of fan-out and bursts against the limit, in turns, and memory of idle sessions. No gate on figures, for CI's machines
# are shared: to be watched. What is lost or doubled fails. Both programs are built together, or else most of what they depend on
# would be built twice.
bench:
    cargo build --release -p parlor -p bench --example broker --bin bench
    target/release/bench quick --seconds 3 --rounds 3

# Ten seconds of fuzzing for each target.
fuzz seconds="10":
    scripts/fuzz {{seconds}}

# What one message costs in instructions, writes and allocations, whatever the machine does beside: a gate.
cost:
    cargo build --release -p parlor -p bench --example broker --bin bench
    scripts/check-hot-path

# Everything, with all peers that can be installed, into docs/benchmarks.md: two to three hours of a machine that does nothing else.
compare:
    cargo build --release --example broker
    cargo run --release -p bench -- compare

# The models of acknowledgements, queues, transactions, histories, outboxes and the broker, 100,000 cases of each property: a
# minute of two cores once it is built.
models:
    scripts/models

# The broker under 3,000 random schedules of threads for each scenario.
schedules:
    scripts/schedules 3000

# What takes too long for a landing.
weekly: (fuzz "600")
    scripts/schedules 1000000
    scripts/models 1000000
    PROPTEST_CASES=100000 cargo test --release -p parlor-stomp -p parlor-core
    cargo run --release -p bench -- quick --seconds 20 --rounds 9
    cargo build --release -p delivery-check
    target/release/delivery-check run --reconnects 1000 --stall-ms 5000
    target/release/delivery-check run --mode small-history --outages 50
    target/release/delivery-check run --mode restarts --outages 50
