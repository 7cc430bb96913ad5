// Who is typing, and when we say that we do.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { inWords, TypingSignal, Typists } = await load("typists.js");
const types = (author, typing = true) => ({ author, typing });

test("the line names two, and counts from three on", () => {
  for (const [names, line] of [
    [[], ""],
    [["Ada"], "Ada is typing"],
    [["Ada", "Bob"], "Ada and Bob are typing"],
    [["Ada", "Bob", "Cy"], "Ada and 2 others are typing"],
    [["Ada", ...Array(49).fill("x")], "Ada and 49 others are typing"],
  ]) {
    assert.equal(inWords(names), line);
  }
});

test("who is not heard of again is forgotten by whoever reads it", () => {
  const typists = new Typists();
  typists.heard(types("Ada"), 0);
  typists.heard(types("Bob"), 2_000);
  assert.deepEqual(typists.at(5_999), ["Ada", "Bob"]);
  assert.equal(typists.untilNext(5_999), 1);
  assert.deepEqual(typists.at(6_000), ["Bob"]);
  typists.heard(types("Bob"), 7_000);
  assert.deepEqual(typists.at(12_999), ["Bob"], "heard of again");
  assert.deepEqual(typists.at(13_000), []);
  assert.equal(typists.untilNext(13_000), undefined);
});

test("who stops or sends is gone at once", () => {
  const typists = new Typists();
  for (const name of ["Ada", "Bob", "Cy"]) typists.heard(types(name), 0);
  typists.heard(types("Ada", false), 1);
  typists.said("Cy");
  assert.deepEqual(typists.at(2), ["Bob"]);
});

test("however many type, those that are remembered are bounded", () => {
  const typists = new Typists();
  for (let number = 0; number < 1_000; number += 1) typists.heard(types(`n${number}`), 0);
  assert.equal(typists.at(1).length, 50);
});

test("we say it when we begin, again every three seconds, and when we stop", () => {
  const signal = new TypingSignal();
  assert.equal(signal.changed(" ", 0), undefined, "nothing is typed yet");
  assert.equal(signal.changed("H", 0), true);
  assert.equal(signal.changed("He", 2_999), undefined);
  assert.equal(signal.changed("Hel", 3_000), true);
  assert.equal(signal.changed("", 3_001), false);
  assert.equal(signal.changed("", 3_002), undefined, "once");
});

test("after a message the next one is a new beginning, and the message itself says that it is done", () => {
  const signal = new TypingSignal();
  signal.changed("Hello", 0);
  signal.sent();
  assert.equal(signal.changed("", 1), undefined);
  assert.equal(signal.changed("A", 2), true);
});
