//! `parlor-core` and `parlor-macros` without `parlor`: attributes say `crate = "parlor_core"`, or a module that re-exports it.

use parlor_core::{
    app::Router,
    extract::{Path, Payload},
};
use parlor_macros::{routes, stomp_handler};

/// A crate's own name for what it depends on.
mod framework {
    pub(crate) use parlor_core::__private;
}

#[stomp_handler("/app/rooms/{room}/say", crate = "parlor_core")]
#[send_to("/topic/rooms/{room}")]
async fn say(_: Path<u32>, text: Payload<String>) -> Payload<String> {
    text
}

#[stomp_handler("/app/ping", crate = "crate::framework")]
async fn ping() {}

#[test]
fn the_core_alone_is_enough() {
    let router: Router<()> = Router::new().mount(routes![say, ping]);
    let table = format!("{router:?}");
    assert!(table.contains("/app/rooms/{room}/say") && table.contains("/app/ping"), "{table}");
}
