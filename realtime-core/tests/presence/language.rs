//! Rule 18: a session's events are `Connected (Subscribed | Unsubscribed)* Disconnected`, whatever happens, and nothing is left.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use parlor_core::{
    app::{Route, Router},
    presence::{Online, Presence, Rooms},
    session::{LifecycleEvent, Session},
    testing::TestClient,
};
use proptest::prelude::*;

use super::*;

/// What a client does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Subscribe {
        place: u8,
        waits: bool,
    },
    Unsubscribe(prop::sample::Index),
    /// To a handler that panics, or one that is slow.
    Send {
        panics: bool,
    },
    Wait(u16),
}

/// How its connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Abort,
    Close,
    Disconnect,
    Banned,
    Freeze,
}

fn client() -> impl Strategy<Value = (u8, Vec<Step>, End)> {
    let step = prop_oneof![
        3 => (0..3_u8, any::<bool>()).prop_map(|(place, waits)| Step::Subscribe { place, waits }),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        1 => any::<bool>().prop_map(|panics| Step::Send { panics }),
        1 => (0..200_u16).prop_map(Step::Wait),
    ];
    let end =
        prop_oneof![Just(End::Abort), Just(End::Close), Just(End::Disconnect), Just(End::Banned), Just(End::Freeze)];
    (0..2_u8, prop::collection::vec(step, 0..8), end)
}

async fn panics() {
    panic!("this is the test's own panic");
}

async fn is_slow() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

type Log = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

fn logged(log: &Log) -> impl Fn(Session, LifecycleEvent) -> BoxFuture<'static, ()> + Send + Sync + 'static {
    let log = Arc::clone(log);
    move |session, event| {
        let line = match event {
            LifecycleEvent::Connected(_) => "connected".to_owned(),
            LifecycleEvent::Subscribed(event) => format!("+{}", event.id),
            LifecycleEvent::Unsubscribed(event) => format!("-{}", event.id),
            LifecycleEvent::Disconnected(event) => {
                assert_eq!(Some(&event.reason), session.disconnect_reason());
                "disconnected".to_owned()
            }
            other => format!("{other:?}"),
        };
        let panics = line.ends_with('2');
        log.lock().unwrap().entry(session.id().to_string()).or_default().push(line);
        async move { assert!(!panics, "this is the test's own panic") }.boxed()
    }
}

/// Whether events of one session are a sentence of the language.
fn is_sentence(events: &[String]) -> bool {
    let [first, middle @ .., last] = events else { return false };
    let mut open = Vec::new();
    let fits = middle.iter().all(|event| match event.split_at(1) {
        ("+", id) => {
            open.push(id.to_owned());
            true
        }
        ("-", id) => open.iter().position(|known| known == id).map(|place| open.remove(place)).is_some(),
        _ => false,
    });
    first == "connected" && last == "disconnected" && fits
}

async fn run(realtime: Realtime, (user, steps, end): (u8, Vec<Step>, End)) {
    let name = format!("user-{user}");
    let client = TestClient::connect(&realtime, &*name).await;
    let mut subscriptions = Vec::new();
    for step in steps {
        match step {
            Step::Subscribe { place, waits } => {
                let destination = ["/topic/rooms/1/chat", "/topic/rooms/1/presence", "/topic/rooms/2/presence"];
                let subscribing = client.subscribe(destination[usize::from(place)]);
                subscriptions.push(if waits { subscribing.await } else { subscribing.unconfirmed() });
            }
            Step::Unsubscribe(which) if !subscriptions.is_empty() => {
                subscriptions.swap_remove(which.index(subscriptions.len())).unsubscribe().await;
            }
            Step::Unsubscribe(_) => {}
            Step::Send { panics } => {
                client.send(if panics { "/app/panics" } else { "/app/slow" }, &1).unconfirmed();
            }
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis.into())).await,
        }
    }
    match end {
        End::Abort => client.abort().await,
        End::Close => client.close(1001).await,
        End::Disconnect => client.disconnect().await,
        End::Banned => {
            realtime.registry().disconnect_user(&name.parse().unwrap(), &banned());
        }
        End::Freeze => client.freeze(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn rule_18_events_are_of_the_language_and_nothing_is_left(clients in prop::collection::vec(client(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let log = Log::default();
        let (rooms, online) = (Rooms::at("/topic/rooms/{room}/chat"), Online::new());
        let presence = Presence::at("/topic/rooms/{room}/presence", "here");
        let router: Router<()> = Router::new()
            .mount(rooms.clone())
            .mount(online.clone())
            .mount(presence.clone())
            .mount(Route::message("/app/panics", panics))
            .mount(Route::message("/app/slow", is_slow));
        let realtime = builder(router, ()).listen(logged(&log)).build().unwrap();
        runtime.block_on(async {
            // What a ban interrupts cannot go on: that client's own steps may fail, and the server must not mind.
            let all = clients.into_iter().map(|client| tokio::task::spawn(run(realtime.clone(), client)));
            for client in all.collect::<Vec<_>>() {
                let _ = client.await;
            }
            realtime.registry().disconnect_where(|_| true, &banned());
            advance(60 * SECOND).await;
        });
        let log = log.lock().unwrap();
        for events in log.values() {
            prop_assert!(is_sentence(events), "{events:?}");
        }
        let registry = realtime.registry();
        prop_assert_eq!((registry.session_count(), registry.user_count()), (0, 0));
        prop_assert_eq!(realtime.broker().destination_count(), 0);
        prop_assert!(rooms.is_empty() && online.is_empty() && presence.is_empty());
        prop_assert!(registry.users_at(&room(1)).is_empty());
    }
}

#[test]
fn what_is_no_sentence_is_found() {
    let is = |events: &str| is_sentence(&events.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert!(is("connected disconnected") && is("connected +a +b -a disconnected"));
    for wrong in [
        "connected",
        "disconnected",
        "connected +a",
        "connected -a disconnected",
        "connected +a -a -a disconnected",
        "connected disconnected disconnected",
        "+a connected disconnected",
        "connected connected disconnected",
    ] {
        assert!(!is(wrong), "{wrong}");
    }
}
