//! Event streams over real sockets, over HTTP/1.1 and HTTP/2: who gets one, what comes on it, and how it ends.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and its runtime ends its tasks")]

mod support;

use std::time::Duration;

use parlor_core::{Realtime, auth::Anonymous, broker::Publication, history::Retain};
use support::{
    endpoint,
    streams::{PATIENCE, Reader, VERSIONS, all_gone, serve},
};
use tokio::time::timeout;

fn realtime() -> Realtime {
    endpoint().authenticate(Anonymous).history("/topic/kept/**", Retain::last(100_000).up_to(64 << 20)).build().unwrap()
}

async fn publish(realtime: &Realtime, destination: &str, text: &str) {
    realtime.broker().publish_message(destination.parse().unwrap(), Publication::text(text)).await.unwrap();
}

#[tokio::test]
async fn a_stream_has_its_headers_and_resumes_by_either_way_and_the_header_wins() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    for version in VERSIONS {
        let topic = format!("/topic/kept/{version:?}");
        let mut reader = Reader::open(server.address, version, &format!("?destination={topic}"), &[]).await;
        let headers = reader.exchange.response.headers();
        let expected =
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")];
        for (name, value) in expected {
            assert_eq!(headers.get(name).unwrap(), value, "{version:?}");
        }
        assert_eq!(reader.exchange.response.version(), version);
        let mut ids = Vec::new();
        for number in ["0", "1", "2"] {
            publish(&realtime, &topic, number).await;
            let (_, id, data) = reader.next().await.unwrap();
            assert_eq!(data, number);
            ids.push(id);
        }
        drop(reader);
        let encoded = topic.replace('/', "%2F");
        let query = format!("?resume-from={}&destination={encoded}", ids[0]);
        let mut reader = Reader::open(server.address, version, &query, &[]).await;
        let first = reader.next().await.unwrap();
        assert_eq!((first.0.as_str(), first.2.as_str()), ("parlor.recovered", r#"{"recovered":true}"#));
        assert_eq!((reader.data().await, reader.data().await), ("1".to_owned(), "2".to_owned()));
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", &ids[1])]).await;
        assert_eq!((reader.data().await, reader.data().await), (r#"{"recovered":true}"#.to_owned(), "2".to_owned()));
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", "bogus")]).await;
        assert_eq!(reader.data().await, r#"{"recovered":false}"#);
        let mut reader = Reader::open(server.address, version, &query, &[("last-event-id", "")]).await;
        publish(&realtime, &topic, "3").await;
        assert_eq!(reader.data().await, "3", "an empty id is none");
    }
}

#[tokio::test]
async fn a_hundred_cuts_while_others_publish_lose_nothing_and_repeat_nothing() {
    const MESSAGES: usize = 3000;
    let realtime = realtime();
    let server = serve(&realtime).await;
    let publishing = {
        let realtime = realtime.clone();
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                publish(&realtime, "/topic/kept/a", &number.to_string()).await;
                if number % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        })
    };
    let (mut expected, mut cuts, mut position) = (None::<usize>, 0, String::new());
    while expected != Some(MESSAGES) {
        let version = VERSIONS[cuts % 2];
        let id = [("last-event-id", position.as_str())];
        let headers = if position.is_empty() { &id[..0] } else { &id[..] };
        let mut reader = Reader::open(server.address, version, "?destination=/topic/kept/a", headers).await;
        if !position.is_empty() {
            assert_eq!(reader.data().await, r#"{"recovered":true}"#);
        }
        // What has arrived behind the last event that was taken is lost with the connection.
        for _ in 0..=(cuts % 37) {
            let (_, id, data) = reader.next().await.unwrap();
            let number: usize = data.parse().unwrap();
            assert_eq!(number, expected.unwrap_or(number), "after {cuts} cuts");
            expected = Some(number + 1);
            position = id;
            if number + 1 == MESSAGES {
                break;
            }
        }
        cuts += 1;
    }
    publishing.await.unwrap();
    assert!(cuts >= 100, "{cuts}");
    all_gone(&realtime).await;
}

#[tokio::test]
async fn a_stop_ends_streams_with_an_event_and_the_server_with_them() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    let mut readers = Vec::new();
    for version in VERSIONS {
        readers.push(Reader::open(server.address, version, "?destination=/topic/a", &[]).await);
    }
    publish(&realtime, "/topic/a", "before").await;
    server.stop.send(()).unwrap();
    for mut reader in readers {
        assert_eq!(reader.data().await, "before");
        let (name, _, data) = reader.next().await.unwrap();
        assert_eq!(name, "parlor.closed");
        assert!(data.starts_with(r#"{"code":"going-away","retry":"#), "{data}");
        assert_eq!(reader.next().await, None);
    }
    timeout(PATIENCE, server.served).await.expect("it stops in time").unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_read_is_let_go_and_nobody_else_waits() {
    let realtime = realtime();
    let server = serve(&realtime).await;
    for version in VERSIONS {
        let mut slow = Reader::open(server.address, version, "?destination=/topic/a", &[]).await;
        let mut other = Reader::open(server.address, version, "?destination=/topic/a", &[]).await;
        let body = "x".repeat(60_000);
        let mut published = 0;
        while realtime.registry().event_stream_count() == 2 {
            assert!(published < 2000, "120 MB wait for a client that reads nothing");
            publish(&realtime, "/topic/a", &body).await;
            assert_eq!(other.data().await.len(), body.len());
            published += 1;
        }
        // What it was sent is whole, and the end says why, where it reads soon enough.
        let mut last = slow.next().await.unwrap();
        while let Some(event) = slow.next().await {
            last = event;
        }
        assert_eq!((last.0.as_str(), last.2.as_str()), ("parlor.closed", r#"{"code":"slow-consumer","retry":3000}"#));
        drop(other);
        all_gone(&realtime).await;
    }
}
