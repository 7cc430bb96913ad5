//! Who may send and subscribe where, printed as a table: `cargo run --example permissions`.

#![expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]

use parlor::{
    BuildError, Realtime,
    app::{Route, Router, Rule, Rules, require_role},
    auth::{Anonymous, Principal},
    destination::Params,
    extract::{Path, Payload},
};

async fn say(Payload(text): Payload<String>) -> Payload<String> {
    Payload(text)
}

async fn close(_: Path<u32>) {}

/// A guard: asked before the handler, with extractors.
async fn may_write(Path(room): Path<u32>, user: Principal) -> bool {
    room != 0 && user.id().is_some()
}

/// A membership: asked before a subscription, with what the rule's placeholders captured.
async fn is_member(user: Principal, params: Params) -> bool {
    params.get("room") == Some("lobby") || user.has_role("member")
}

fn endpoint() -> Result<Realtime, BuildError> {
    let routes = Router::new()
        .mount(Route::message("/app/rooms/{room}/say", say).send_to("/topic/rooms/{room}/chat").authorize(may_write))
        .mount(Route::message("/app/rooms/{room}/close", close).authorize(require_role("admin")))
        .with_state(());
    let rules = Rules::deny_all()
        .allow_subscribe("/topic/news")
        .allow(Rule::subscribe("/topic/audit/**").role("admin").role("auditor"))
        .allow(Rule::subscribe("/topic/rooms/{room}/**").authenticated().when(is_member));
    Realtime::builder(routes).authenticate(Anonymous).authorize(rules).build()
}

fn main() -> Result<(), BuildError> {
    print!("{}", endpoint()?.permissions());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_rule_has_its_row() {
        let table = endpoint().unwrap().permissions().to_string();
        for row in [
            "SEND       /app/rooms/{room}/close  if role admin",
            "SEND       anything else            nobody",
            "SUBSCRIBE  /topic/audit/**          role admin or auditor",
            "SUBSCRIBE  /topic/news              everyone",
            "SUBSCRIBE  /user/**                 everyone, their own",
        ] {
            assert!(table.contains(row), "{table}");
        }
        assert!(table.contains("is_member") && table.contains("may_write"), "{table}");
    }
}
