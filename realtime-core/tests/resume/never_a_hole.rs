//! Rules 15, 17 and 25: who cannot be given everything is told so and given nothing of it, by the rights of the day.

use super::*;

#[tokio::test(start_paused = true)]
async fn rule_15_where_completeness_cannot_be_proved_the_client_is_told_and_nothing_partial_comes() {
    let realtime = realtime(retaining(5));
    let position = seen_the_first(&realtime).await;
    for number in 1..=5 {
        publish(realtime.broker(), number).await;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    expect_numbers(&chat, 1..6).await;
    chat.unsubscribe().await;
    // One more, and the first that was missed is gone.
    publish(realtime.broker(), 6).await;
    let mut forged = position.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for token in [position.as_str(), &forged, "nonsense", "0", &position[1..], &"A".repeat(900)] {
        let chat = ada.subscribe(CHAT).resume_from(token).await;
        assert_not_recovered(&realtime, &chat, CHAT).await;
        chat.unsubscribe().await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_position_is_good_for_its_destination_alone() {
    let realtime = realtime(retaining(100));
    let position = seen_the_first(&realtime).await;
    realtime.broker().publish("/topic/news", "before").await.unwrap();
    let ada = TestClient::connect(&realtime, "ada").await;
    let news = ada.subscribe("/topic/news").resume_from(&position).await;
    assert_not_recovered(&realtime, &news, "/topic/news").await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_what_has_no_history_cannot_be_resumed_and_says_so() {
    let realtime = realtime(DeliveryRules::default().history(CHAT, Retain::last(9)));
    let position = seen_the_first(&realtime).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    let plain = ada.subscribe("/topic/plain").resume_from(&position).await;
    assert_not_recovered(&realtime, &plain, "/topic/plain").await;
    plain.unsubscribe().await;

    let pattern = ada.subscribe("/topic/*").resume_from(&position).await;
    assert_not_recovered(&realtime, &pattern, CHAT).await;
    pattern.unsubscribe().await;

    let queue = ada.subscribe("/queue/jobs").resume_from(&position).await;
    assert_eq!(queue.recovered(), Some(false));
    for (job, said) in [(1, Some("false")), (2, None)] {
        realtime.broker().publish("/queue/jobs", &job).await.unwrap();
        assert_eq!(queue.expect_json(job).await.header("recovered"), said);
    }

    let notes = ada.subscribe("/user/queue/notes").resume_from(&position).await;
    assert_eq!(notes.recovered(), Some(false));
    for (note, said) in [(1, Some("false")), (2, None)] {
        realtime.broker().send_to_user(&"ada".parse().unwrap(), "/queue/notes", &note).await.unwrap();
        assert_eq!(notes.expect_json(note).await.header("recovered"), said);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_17_a_restart_is_another_epoch_and_rule_15_tells() {
    let rules = || retaining(100).positions(PositionCodec::with_key(&[7; 32]));
    let position = seen_the_first(&realtime(rules())).await;
    let restarted = realtime(rules());
    // As many as the position has seen, so that the offset alone would fit.
    publish(restarted.broker(), 0).await;
    let ada = TestClient::connect(&restarted, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    assert_not_recovered(&restarted, &chat, CHAT).await;
}

#[tokio::test(start_paused = true)]
async fn rule_25_rights_are_those_of_the_day_also_for_what_was_missed() {
    let may = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&may);
    let rule = Rule::subscribe("/topic/**").when(move |_, _| ready(now.load(Ordering::Acquire)));
    let realtime = Realtime::builder(Router::new().with_state(()))
        .authenticate(Anonymous)
        .authorize(Rules::deny_all().allow(rule))
        .delivery(retaining(100))
        .build()
        .unwrap();
    let position = seen_the_first(&realtime).await;
    publish(realtime.broker(), 1).await;
    let ada = TestClient::connect(&realtime, "ada").await;
    may.store(false, Ordering::Release);
    ada.subscribe(CHAT).resume_from(&position).refused("forbidden").await;
    may.store(true, Ordering::Release);
    let chat = ada.subscribe(CHAT).resume_from(&position).await;
    expect_numbers(&chat, 1..2).await;
}

#[tokio::test(start_paused = true)]
async fn rule_15_a_reader_that_the_history_leaves_behind_is_closed_as_slow_and_told_when_it_is_back() {
    let realtime = realtime(retaining(2000));
    let position = seen_the_first(&realtime).await;
    let filler = "x".repeat(1000);
    for number in 1..2000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let mut slow = begin_slow_replay(&realtime, &position).await;
    for number in 2000..6000 {
        realtime.broker().publish(CHAT, &(number, &filler)).await.unwrap();
    }
    let (mut number, mut last) = (2, String::new());
    loop {
        let frame = slow.frame().await;
        if frame.starts_with("ERROR") {
            assert_eq!(header(&frame, "code"), Some("slow-consumer"));
            assert!(matches!(slow.next().await, Received::Close(1013, _)));
            break;
        }
        // Without a hole to the end.
        assert!(support::body(&frame).starts_with(&format!("[{number},")), "{number}: {frame}");
        header(&frame, "position").unwrap().clone_into(&mut last);
        number += 1;
    }
    let ada = TestClient::connect(&realtime, "ada").await;
    let chat = ada.subscribe(CHAT).resume_from(&last).await;
    assert_not_recovered(&realtime, &chat, CHAT).await;
}
