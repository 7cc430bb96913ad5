//! What the journal keeps at each bound and one beyond, and what it gives back.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::advance;

use super::*;
use crate::publication::Publication;

const EMPTY: usize = 256;

fn destination(text: &str) -> Destination {
    text.parse().unwrap()
}

fn journal(retain: Retain, limits: MemoryLimits) -> MemoryJournal {
    MemoryJournal::new(Retention::new([("/topic/**".parse().unwrap(), retain)]).unwrap(), limits)
}

/// Appends an entry of so many octets.
async fn append(journal: &MemoryJournal, to: &Destination, octets: usize) -> Position {
    let entry = Entry::new("", Publication::bytes(Bytes::from(vec![b'x'; octets - EMPTY])));
    assert_eq!(entry.octets(), octets);
    journal.append(to, entry).await.unwrap().position
}

/// How many entries follow, `None` where that is not known.
async fn following(journal: &MemoryJournal, on: &Destination, after: Position) -> Option<usize> {
    let page = journal.read(on, after, ReadLimit::default()).await.unwrap();
    page.complete.then_some(page.entries.len())
}

#[tokio::test]
async fn messages_are_kept_up_to_their_number_and_not_one_beyond() {
    let journal = journal(Retain::last(3), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    for _ in 0..3 {
        append(&journal, &chat, EMPTY).await;
    }
    assert_eq!(following(&journal, &chat, start).await, Some(3));
    append(&journal, &chat, EMPTY).await;
    assert_eq!(following(&journal, &chat, start).await, None);
    assert_eq!(journal.usage().octets, 3 * EMPTY);
}

#[tokio::test]
async fn octets_are_kept_up_to_their_number_and_not_one_beyond() {
    let journal = journal(Retain::last(9).up_to(1000), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    let first = append(&journal, &chat, 500).await;
    append(&journal, &chat, 500).await;
    assert_eq!(following(&journal, &chat, start).await, Some(2));
    journal.forget(&chat).await.unwrap();
    let start = journal.top(&chat).await.unwrap();
    let second = append(&journal, &chat, 500).await;
    append(&journal, &chat, 501).await;
    assert_eq!(following(&journal, &chat, start).await, None);
    assert_eq!(following(&journal, &chat, second).await, Some(1));
    assert_eq!(following(&journal, &chat, first).await, None, "of the epoch that was forgotten");
}

#[tokio::test]
async fn an_entry_larger_than_the_history_is_not_kept_and_no_silent_hole() {
    let journal = journal(Retain::last(9).up_to(1000), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let before = append(&journal, &chat, 300).await;
    let after = append(&journal, &chat, 1001).await;
    assert_eq!(following(&journal, &chat, before).await, None);
    assert_eq!(following(&journal, &chat, after).await, Some(0));
    assert_eq!(journal.usage().octets, 0);
}

#[tokio::test]
async fn a_history_of_no_messages_has_positions() {
    let journal = journal(Retain::last(0), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let first = append(&journal, &chat, EMPTY).await;
    let second = append(&journal, &chat, EMPTY).await;
    assert_eq!(following(&journal, &chat, first).await, None);
    assert_eq!(following(&journal, &chat, second).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_kept_for_its_age_and_not_a_millisecond_longer() {
    let journal = journal(Retain::last(9).within(Duration::from_secs(10)), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    let first = append(&journal, &chat, EMPTY).await;
    advance(Duration::from_secs(5)).await;
    append(&journal, &chat, EMPTY).await;
    advance(Duration::from_secs(5)).await;
    assert_eq!(following(&journal, &chat, start).await, Some(2));
    advance(Duration::from_millis(1)).await;
    assert_eq!(following(&journal, &chat, start).await, None);
    assert_eq!(following(&journal, &chat, first).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn who_missed_nothing_resumes_after_everything_has_grown_too_old() {
    let journal = journal(Retain::last(9).within(Duration::from_secs(10)), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let before = append(&journal, &chat, EMPTY).await;
    let top = append(&journal, &chat, EMPTY).await;
    advance(Duration::from_secs(3600)).await;
    assert_eq!(following(&journal, &chat, top).await, Some(0));
    assert_eq!(following(&journal, &chat, before).await, None);
    append(&journal, &chat, EMPTY).await;
    assert_eq!(following(&journal, &chat, top).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn idle_destinations_give_their_memory_back() {
    let retain = Retain::last(9).within(Duration::from_secs(10));
    let journal = journal(retain, MemoryLimits::default());
    for name in ["/topic/a", "/topic/b", "/topic/c", "/topic/d"] {
        append(&journal, &destination(name), 1000).await;
    }
    advance(Duration::from_millis(10_001)).await;
    assert_eq!(journal.usage().octets, 4000);
    // Its own entry and two destinations beside it.
    append(&journal, &destination("/topic/d"), EMPTY).await;
    assert_eq!(journal.usage().octets, 1000 + EMPTY);
    advance(Duration::from_millis(10_001)).await;
    journal.sweep();
    assert_eq!(journal.usage(), MemoryUsage { destinations: 4, octets: 0 });
    assert_eq!(journal.ages.len(), 0);
}

#[tokio::test]
async fn destinations_are_remembered_up_to_their_number_and_the_longest_idle_is_evicted_beyond() {
    let journal = journal(Retain::last(9), MemoryLimits::default().max_destinations(3));
    let [a, b, c, d] = ["/topic/a", "/topic/b", "/topic/c", "/topic/d"].map(destination);
    let before = append(&journal, &a, EMPTY).await;
    let first = append(&journal, &b, EMPTY).await;
    append(&journal, &c, EMPTY).await;
    append(&journal, &a, EMPTY).await;
    assert_eq!(journal.usage().destinations, 3);
    assert_eq!(following(&journal, &b, first).await, Some(0));
    append(&journal, &d, EMPTY).await;
    assert_eq!(journal.usage(), MemoryUsage { destinations: 3, octets: 4 * EMPTY });
    assert_eq!(following(&journal, &a, before).await, Some(1));
    assert_eq!(following(&journal, &b, first).await, None);
    // It comes back, at the offset that was evicted: not the same place.
    let again = append(&journal, &b, EMPTY).await;
    assert_eq!(again.offset, first.offset);
    assert_eq!(following(&journal, &b, first).await, None);
}

#[tokio::test]
async fn octets_of_all_are_kept_up_to_their_number_and_the_longest_idle_is_evicted_beyond() {
    let journal = journal(Retain::last(9), MemoryLimits::default().max_octets(2000));
    let [a, b] = ["/topic/a", "/topic/b"].map(destination);
    let start = journal.top(&a).await.unwrap();
    append(&journal, &a, 1000).await;
    append(&journal, &b, 500).await;
    append(&journal, &b, 500).await;
    assert_eq!(following(&journal, &a, start).await, Some(1));
    append(&journal, &b, EMPTY).await;
    assert_eq!(following(&journal, &a, start).await, None);
    assert_eq!(journal.usage(), MemoryUsage { destinations: 1, octets: 1000 + EMPTY });
}

#[tokio::test]
async fn one_destination_takes_no_more_than_all_may() {
    let journal = journal(Retain::last(9), MemoryLimits::default().max_octets(1000));
    let chat = destination("/topic/chat");
    append(&journal, &chat, 500).await;
    let position = append(&journal, &chat, 500).await;
    assert_eq!(journal.usage().octets, 1000);
    append(&journal, &chat, 501).await;
    assert_eq!(journal.usage(), MemoryUsage { destinations: 1, octets: 501 });
    assert_eq!(following(&journal, &chat, position).await, Some(1));
}

/// S-16: names that clients choose leave nothing behind.
#[tokio::test]
async fn evicted_destinations_leave_nothing_behind() {
    let journal = journal(Retain::last(9), MemoryLimits::default().max_destinations(2));
    for name in 0..100 {
        let room = destination(&format!("/topic/{name}"));
        append(&journal, &room, EMPTY).await;
        journal.top(&destination(&format!("/topic/{name}/other"))).await.unwrap();
    }
    assert_eq!(journal.usage(), MemoryUsage { destinations: 2, octets: 2 * EMPTY });
    assert_eq!(journal.ages.len(), 2);
    assert_eq!(journal.recency.len(), 2);
}

#[tokio::test]
async fn a_position_from_before_the_first_message_is_complete() {
    let journal = journal(Retain::last(9), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    assert_eq!(following(&journal, &chat, start).await, Some(0));
    append(&journal, &chat, EMPTY).await;
    assert_eq!(following(&journal, &chat, start).await, Some(1));
}

#[tokio::test]
async fn a_position_beyond_the_top_or_of_another_process_is_not_complete() {
    let retain = Retain::last(9);
    let (one, other) = (journal(retain, MemoryLimits::default()), journal(retain, MemoryLimits::default()));
    let chat = destination("/topic/chat");
    let position = append(&one, &chat, EMPTY).await;
    append(&other, &chat, EMPTY).await;
    append(&other, &chat, EMPTY).await;
    assert_eq!(following(&other, &chat, position).await, None);
    assert_eq!(following(&one, &chat, Position { offset: 2, ..position }).await, None);
    assert_eq!(following(&one, &chat, Position { offset: u64::MAX, ..position }).await, None);
}

#[tokio::test]
async fn forgetting_what_has_no_entries_ends_its_positions_too() {
    let journal = journal(Retain::last(9), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    journal.forget(&chat).await.unwrap();
    assert_eq!(following(&journal, &chat, start).await, None);
}

#[tokio::test]
async fn a_destination_without_history_is_an_error() {
    let journal = journal(Retain::last(9), MemoryLimits::default());
    let queue = destination("/queue/jobs");
    let position = Position { epoch: Epoch::random(), offset: 0 };
    let entry = Entry::new("m", Publication::text("x"));
    let refused = |error: JournalError| matches!(error, JournalError::NotRetained(_));
    assert!(refused(journal.append(&queue, entry).await.unwrap_err()));
    assert!(refused(journal.read(&queue, position, ReadLimit::default()).await.unwrap_err()));
    assert!(refused(journal.top(&queue).await.unwrap_err()));
    assert!(refused(journal.forget(&queue).await.unwrap_err()));
}

#[tokio::test]
async fn a_read_ends_at_its_limit_and_goes_on_from_there() {
    let journal = journal(Retain::last(9), MemoryLimits::default());
    let chat = destination("/topic/chat");
    let start = journal.top(&chat).await.unwrap();
    for _ in 0..4 {
        append(&journal, &chat, 500).await;
    }
    let read = |after, messages, octets| journal.read(&chat, after, ReadLimit::new(messages, octets));
    for (messages, octets, expected) in
        [(3, 9999, 3), (9, 1500, 3), (9, 1499, 2), (9, 0, 1), (0, 9999, 1), (4, 2000, 4)]
    {
        let page = read(start, messages, octets).await.unwrap();
        assert!(page.complete);
        assert_eq!(page.entries.len(), expected, "{messages} messages, {octets} octets");
        assert_eq!(page.next().is_some(), expected < 4);
    }
    let page = read(start, 3, 9999).await.unwrap();
    let rest = read(page.next().unwrap(), 3, 9999).await.unwrap();
    assert_eq!(rest.entries.len(), 1);
    assert_eq!(rest.entries[0].0.position(), rest.top);
    assert_eq!(rest.next(), None);
}
