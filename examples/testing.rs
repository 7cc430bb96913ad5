//! How an application is tested: no socket, no waiting. Run it with `cargo test --example testing`.

use std::time::Duration;

use parlor::{
    BuildError, Realtime,
    app::{Rejection, Route, Router, Rules},
    auth::Anonymous,
    broker::Broker,
    extract::{Path, Payload},
};

/// The longest countdown, in seconds.
const LONGEST: u64 = 3600;

/// SEND a number of seconds to /app/rooms/7/timer: everyone in the room hears the start, and then the end.
#[expect(clippy::disallowed_methods, reason = "the task ends with its countdown")]
async fn start(
    Path(room): Path<u32>,
    Payload(seconds): Payload<u64>,
    broker: Broker,
) -> Result<Payload<&'static str>, Rejection> {
    if seconds > LONGEST {
        return Err(Rejection::new("too-long", "A countdown takes an hour at most."));
    }
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if let Err(error) = broker.publish(format!("/topic/rooms/{room}/timer"), "time is up").await {
            tracing::error!(%error, "a countdown's end could not be published");
        }
    });
    Ok(Payload("started"))
}

/// What `main` would serve.
fn endpoint() -> Result<Realtime, BuildError> {
    let timer = Route::message("/app/rooms/{room}/timer", start).send_to("/topic/rooms/{room}/timer");
    Realtime::builder(Router::new().mount(timer).with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow_subscribe("/topic/rooms/{room}/timer"))
        .build()
}

#[expect(clippy::print_stdout, reason = "the terminal is this program's user interface")]
fn main() -> Result<(), BuildError> {
    let realtime = endpoint()?;
    println!("{realtime:?} is built. Its tests: cargo test --example testing");
    Ok(())
}

#[cfg(test)]
mod tests {
    use parlor::testing::TestClient;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_countdown_ends_on_time_for_everyone_in_the_room() {
        let realtime = endpoint().unwrap();
        let ada = TestClient::connect(&realtime, "ada").await;
        let bob = TestClient::connect(&realtime, "bob").await;
        let timer = bob.subscribe("/topic/rooms/7/timer").await;

        ada.send("/app/rooms/7/timer", &90).await;
        timer.expect_json("started").await;
        timer.assert_silent().during(Duration::from_secs(89)).await;
        timer.expect_json("time is up").within(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_countdown_that_is_too_long_is_refused_and_not_announced() {
        let ada = TestClient::connect(&endpoint().unwrap(), "ada").await;
        let timer = ada.subscribe("/topic/rooms/7/timer").await;
        ada.send("/app/rooms/7/timer", &3601).refused("too-long").await;
        timer.assert_silent().during(Duration::from_secs(4000)).await;
    }
}
