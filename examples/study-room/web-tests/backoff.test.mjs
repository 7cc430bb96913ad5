import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { Backoff } = await load("backoff.js");
const NONE = -Infinity;

test("waits are longer with each attempt, up to a bound", () => {
  const latest = new Backoff(() => 1);
  const waits = Array.from({ length: 8 }, () => latest.next(NONE, 0));
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
});

test("pages come back anywhere in the wait, and never before the server wants them", () => {
  assert.equal(new Backoff(() => 0).next(NONE, 0), 0);
  assert.equal(new Backoff(() => 0.5).next(NONE, 3_000), 3_250);
});

test("a connection that lasted starts anew, and one that broke at once does not", () => {
  const latest = new Backoff(() => 1);
  latest.next(NONE, 0);
  assert.equal(latest.next(5_000, 0), 1_000);
  assert.equal(latest.next(5_001, 0), 500);
});
