// The inbox: who wrote, what is unread, each message counted once.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { countInWords, Inbox } = await load("inbox.js");

const from = (id, authorId, recipientId, text = "hello") => ({
  id, author_id: authorId, author: authorId.toUpperCase(), recipient_id: recipientId, recipient: recipientId.toUpperCase(), text, sent_at: id,
});

function inbox(...messages) {
  const made = new Inbox("me");
  messages.forEach((message) => made.message(message));
  return made;
}

const shown = ({ conversations }) => conversations.map(({ name, last_text: text, unread }) => [name, text, unread]);

test("the newest conversation comes first, and one's own messages are not unread", () => {
  const made = inbox(from(1, "ada", "me"), from(2, "me", "bob", "hi"), from(3, "ada", "me", "and"));
  assert.deepEqual(shown(made), [["ADA", "and", 2], ["BOB", "hi", 0]]);
  assert.equal(made.unread, 1, "conversations, not messages");
  made.message(from(4, "me", "bob", "again"));
  assert.deepEqual(shown(made)[0], ["BOB", "again", 0]);
});

test("a message that comes twice, or is in the list already, counts once", () => {
  const made = inbox(from(1, "ada", "me"), from(1, "ada", "me"));
  assert.deepEqual(shown(made), [["ADA", "hello", 1]]);
  made.load([{ id: "ada", name: "ADA", last_id: 5, last_author: "ADA", last_text: "five", last_at: 5, unread: 3 }]);
  made.message(from(5, "ada", "me", "five"));
  assert.deepEqual(shown(made), [["ADA", "five", 3]]);
});

test("what was read in another tab is read here", () => {
  const made = inbox(from(1, "ada", "me"), from(2, "ada", "me"));
  let changes = 0;
  made.addEventListener("change", () => (changes += 1));
  made.read({ with: "ada", up_to: 1 });
  assert.equal(shown(made)[0][2], 1, "the second came after it");
  made.read({ with: "ada", up_to: 2 });
  made.read({ with: "ada", up_to: 2 });
  made.read({ with: "nobody", up_to: 2 });
  assert.equal(made.unread, 0);
  assert.equal(changes, 2, "nothing new is not told");
});

test("the list and its numbers are bounded", () => {
  const made = inbox(...Array.from({ length: 150 }, (_, number) => from(number + 1, `n${number}`, "me")));
  assert.equal(made.conversations.length, 100);
  assert.equal(made.conversations[0].name, "N149");
  const much = inbox(...Array.from({ length: 150 }, (_, number) => from(number + 1, "ada", "me")));
  assert.equal(countInWords(much.conversations[0].unread), "99+");
  assert.equal(countInWords(7), "7");
});
