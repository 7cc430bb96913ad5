import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { Resumption } = await load("resumption.js");
const headers = (all) => new Map(Object.entries(all));
const at = (position) => headers({ position });

/** A subscription that has seen messages and asks to go on. */
function asking(...positions) {
  const resumption = new Resumption();
  resumption.headers();
  for (const position of positions) resumption.take(at(position));
  resumption.headers();
  return resumption;
}

test("a server without positions is asked nothing, and every message is new", () => {
  const resumption = asking();
  assert.deepEqual(resumption.headers(), {});
  assert.ok(resumption.take(headers({})) && resumption.take(headers({})));
  assert.equal(resumption.answer(headers({})), undefined);
});

test("it goes on behind the last message that was new", () => {
  const resumption = asking("x", "a");
  assert.deepEqual(resumption.headers(), { "resume-from": "a" });
  resumption.take(headers({}));
  assert.ok(!resumption.take(at("x")));
  assert.deepEqual(resumption.headers(), { "resume-from": "a" }, "a repetition leads nowhere back");
});

test("it begins where the RECEIPT says, unless a message was faster", () => {
  const resumption = new Resumption();
  resumption.headers();
  resumption.begin(at("p0"));
  assert.deepEqual(resumption.headers(), { "resume-from": "p0" });
  resumption.take(at("p1"));
  resumption.begin(at("p0"));
  assert.deepEqual(resumption.headers(), { "resume-from": "p1" });
  resumption.begin(headers({}));
  assert.deepEqual(resumption.headers(), { "resume-from": "p1" }, "a server without positions says nothing");
});

test("a message that comes twice is taken once", () => {
  const resumption = asking("1", "2");
  assert.equal(resumption.answer(headers({ recovered: "true", position: "2" })), "resumed");
  assert.deepEqual(["2", "3", "3", "4"].map((position) => resumption.take(at(position))), [false, true, false, true]);
});

test("the answer counts once, from the RECEIPT or the first MESSAGE", () => {
  const resumption = asking("1");
  assert.equal(resumption.answer(at("2")), undefined);
  assert.equal(resumption.answer(headers({ recovered: "true" })), "resumed");
  assert.equal(resumption.answer(headers({ recovered: "true" })), undefined);
  resumption.headers();
  assert.equal(resumption.answer(headers({ recovered: "false" })), "lost", "each loss is a question of its own");
});

test("an answer that was not asked for is none", () => {
  const resumption = new Resumption();
  resumption.headers();
  assert.equal(resumption.answer(headers({ recovered: "true" })), undefined);
});

test("what was lost is begun anew: old positions are not asked for again", () => {
  const resumption = asking("1", "2");
  assert.equal(resumption.answer(headers({ recovered: "false" })), "lost");
  assert.deepEqual(resumption.headers(), {});
  assert.ok(resumption.take(at("1")), "positions may begin anew too");
});

test("memory is bounded", () => {
  const positions = Array.from({ length: 1_001 }, (_, index) => `p${index}`);
  const resumption = asking(...positions);
  assert.ok(!resumption.take(at("p1")) && !resumption.take(at("p1000")));
  assert.ok(resumption.take(at("p0")), "the oldest is forgotten");
});
