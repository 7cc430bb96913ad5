// The mailbox: pages and live notifications folded into one list, each once, and read ones gone for good.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { Mailbox } = await load("mailbox.js");

const one = (id) => ({ id: String(id), kind: "mention", payload: {}, at: id });
const page = (ids, more = false) => ({ notifications: ids.map(one), more });
const shown = ({ unread, read }) => [unread, read].map((list) => list.map(({ id }) => Number(id)));

function mailbox(...ids) {
  const made = new Mailbox();
  made.begin();
  made.page(page(ids));
  return made;
}

test("the newest comes first, also where ids grow longer", () => {
  const made = mailbox(9, 10, 99, 100);
  made.add(one(1000));
  assert.deepEqual(shown(made), [[1000, 100, 99, 10, 9], []]);
});

test("one that comes twice counts once, and arrives once", () => {
  const made = mailbox(1);
  const arrived = [];
  made.addEventListener("arrived", ({ detail }) => arrived.push(detail.id));
  for (const id of [1, 2, 2]) made.add(one(id));
  assert.deepEqual(shown(made), [[2, 1], []]);
  assert.deepEqual(arrived, ["2"]);
});

test("what was read is below, and whatever crosses it does not bring it back", () => {
  const made = mailbox(1, 2, 3);
  made.acknowledged(["2", "77"]);
  assert.deepEqual(shown(made), [[3, 1], [2]]);
  made.add(one(2));
  made.add(one(77));
  made.page(page([1, 2, 3]));
  assert.deepEqual(shown(made), [[3, 1], [2]]);
});

test("a stream that begins anew tells what was read while nobody listened", () => {
  const made = mailbox(1, 2, 3, 40);
  made.begin();
  made.page(page([2], true));
  assert.deepEqual(shown(made)[0], [40, 3, 2, 1], "as long as there may be more, nothing is taken away");
  made.add(one(50));
  made.page(page([40]));
  assert.deepEqual(shown(made), [[50, 40, 2], [3, 1]], "what came live meanwhile stays");
});

test("a tab that joins takes pages without a beginning, and nothing away for them", () => {
  const made = new Mailbox();
  made.add(one(9));
  made.page(page([1, 2], true));
  made.page(page([3]));
  assert.deepEqual(shown(made), [[9, 3, 2, 1], []]);
});

test("it is bounded", () => {
  const made = new Mailbox();
  for (let id = 1; id <= 250; id += 1) made.add(one(id));
  assert.equal(made.unread.length, 200);
  assert.equal(made.unread.at(-1).id, "51");
  made.acknowledged(made.unread.map(({ id }) => id));
  assert.deepEqual(shown(made), [[], Array.from({ length: 20 }, (_, number) => 250 - number)]);
});
