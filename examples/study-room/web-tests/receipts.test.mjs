import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { Receipts, SendError } = await load("receipts.js");

test("a RECEIPT confirms the frame that asked for it, once", async () => {
  const receipts = new Receipts();
  const [first, second] = [receipts.expect(), receipts.expect()];
  assert.notEqual(first.receipt, second.receipt);
  receipts.confirm(new Map([["receipt-id", second.receipt], ["recovered", "true"]]));
  assert.equal((await second.confirmed).get("recovered"), "true");
  assert.ok(!receipts.refuse(second.receipt, new SendError("late", "")), "nobody waits any more");
  assert.ok(receipts.refuse(first.receipt, new SendError("bad-text", "No.")));
  await assert.rejects(first.confirmed, { code: "bad-text" });
});

test("what is not confirmed in time is late", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { confirmed } = new Receipts().expect();
  t.mock.timers.tick(15_000);
  await assert.rejects(confirmed, { code: "late" });
});

test("with the connection all receipts are given up", async () => {
  const receipts = new Receipts();
  const all = [receipts.expect(), receipts.expect()];
  receipts.abandon();
  for (const { confirmed } of all) await assert.rejects(confirmed, { code: "offline" });
});
