import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { charactersLeft, faultOf, isFinal } = await load("limits.js");

test("characters are counted as the server counts them", () => {
  assert.equal(charactersLeft("😀".repeat(4000)), 0);
  assert.equal(charactersLeft("😀".repeat(4001)), -1);
});

test("a message that is too long is told what to do, and is not sent again as it is", () => {
  assert.equal(faultOf("x".repeat(4000)), undefined);
  const fault = faultOf("x".repeat(4312));
  assert.match(fault.message, /at most 4,000 characters, and this one has 4,312\. Shorten it/);
  assert.ok(isFinal(fault));
});

test("what failed on the way may be sent again", () => {
  for (const code of ["late", "internal", "forbidden"]) assert.ok(!isFinal({ code }), code);
});
