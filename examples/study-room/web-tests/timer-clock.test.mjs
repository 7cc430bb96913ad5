// The focus timer's arithmetic: the same second for everyone, whatever their clocks say.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { digits, Ends, minutesOf, ServerClock, shownAt, untilNext } = await load("timer-clock.js");

const MINUTE = 60_000;
const running = { state: "running", phase: "focus", focus: 25, break: 5, ends_at: 25 * MINUTE };

test("pages whose clocks differ by hours show the same second", () => {
  for (const wrong of [-7_200_000, 0, 3_600_123]) {
    const clock = new ServerClock();
    clock.heard(10 * MINUTE, 10 * MINUTE + wrong);
    assert.equal(shownAt(running, clock.at(12 * MINUTE + wrong), 25).left, 13 * MINUTE);
  }
});

test("of several messages the one that was fastest on its way is believed, and after a loss the next one", () => {
  const clock = new ServerClock();
  for (const delay of [300, 20, 900]) clock.heard(1_000, 1_000 + delay);
  assert.equal(clock.at(5_020), 5_000);
  for (let message = 0; message < 8; message += 1) clock.heard(1_000, 1_500);
  assert.equal(clock.at(5_500), 5_000, "what was long ago says nothing any more");
  clock.forget();
  clock.heard(1_000, 2_000);
  assert.equal(clock.at(2_000), 1_000);
});

test("a second that has begun is counted, down to zero", () => {
  for (const [left, text] of [[25 * MINUTE, "25:00"], [25 * MINUTE - 1, "25:00"], [61_000, "1:01"], [59_001, "1:00"], [1, "0:01"], [0, "0:00"]]) {
    assert.equal(digits(left), text);
  }
  for (const [left, text] of [[25 * MINUTE, "25 min"], [24 * MINUTE + 1, "25 min"], [24 * MINUTE, "24 min"], [1, "1 min"]]) {
    assert.equal(minutesOf(left), text);
  }
  for (const [left, wait] of [[1_500, 500], [1_000, 1_000], [1, 1]]) assert.equal(untilNext(left), wait);
});

test("a pause stands still, an end stays at zero, and without a round its length is shown", () => {
  assert.deepEqual(shownAt({ state: "ready" }, 99, 50), { phase: "ready", word: "Ready", left: 50 * MINUTE, share: 1 });
  const paused = { ...running, state: "paused", left: 5 * MINUTE };
  assert.deepEqual(shownAt(paused, 99 * MINUTE, 25), { phase: "focus", word: "Focus, paused", left: 5 * MINUTE, share: 0.2 });
  assert.equal(shownAt(running, 26 * MINUTE, 25).left, 0);
  assert.equal(shownAt(running, -1, 25).left, 25 * MINUTE, "never more than there is");
  assert.equal(shownAt({ ...running, phase: "break" }, 24 * MINUTE, 25).share, 0.2);
});

test("an end is told once, and not where it was long ago", () => {
  const ends = new Ends();
  assert.equal(ends.of(running, 25 * MINUTE - 1), undefined);
  assert.equal(ends.of(running, 25 * MINUTE), "focus");
  assert.equal(ends.of(running, 25 * MINUTE + 1), undefined, "once");
  assert.equal(ends.of({ ...running, phase: "break", ends_at: 30 * MINUTE }, 30 * MINUTE), "break");
  assert.equal(ends.of({ ...running, ends_at: 40 * MINUTE }, 41 * MINUTE), undefined, "the page has slept");
  assert.equal(ends.of({ ...running, state: "paused" }, 99 * MINUTE), undefined);
});
