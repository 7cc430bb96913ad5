// Eight tabs of one person, seven of them hidden: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node hidden-tabs.mjs`.
//
// All of them stay connected however long nobody looks at them, and are one member of the room; what is said and what is read reaches
// all. One that the browser freezes loses its connection, and goes on where it was. With `HIDDEN_SECONDS=420` they are hidden for as
// long as it takes until Chromium lets a page's timers run once a minute.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { finish, hears, person, say, start, step } from "./study-room.mjs";
import { Window } from "./tabs.mjs";

const TABS = 8;
const HIDDEN = 1_000 * Number(process.env.HIDDEN_SECONDS ?? 3);

/** Whether a tab shows a message, or so many unread notifications. */
const shows = (text) => `[...document.querySelectorAll(".message .bubble")].some(({ textContent }) => textContent === ${JSON.stringify(text)})`;
const rings = (unread) => {
  const label = unread === 0 ? "Notifications" : `Notifications, ${unread} unread`;
  return `document.querySelector("[popovertarget=notifications]").getAttribute("aria-label") === ${JSON.stringify(label)}`;
};
/** Asks the API as a page of ours. */
const post = (path, body) =>
  `fetch("/api${path}", { method: "POST", headers: { "content-type": "application/json" }, body: ${JSON.stringify(JSON.stringify(body))} })
    .then((answer) => answer.json())`;

const { server, url } = await start("127.0.0.1:0", { STUDY_ROOM_GRACE: "1", STUDY_ROOM_SETTLING: "0" });
const window = await Window.open();
const door = await window.tab(url);
await door.evaluate(post("/signup", { name: "Ada", password: "correct horse" }));
const { id } = await door.evaluate(post("/rooms", { name: "Linear algebra" }));
const roomUrl = `${url}/rooms/${id}`;
const bob = await person(url, "Bob", { viewport: { width: 1280, height: 800 } });
await bob.goto(roomUrl);
await bob.getByText("Nobody has said anything yet").waitFor();

const tabs = [];
for (let number = 0; number < TABS; number += 1) tabs.push(await window.tab(roomUrl));
for (const tab of tabs) {
  await tab.until("document.querySelectorAll('.person').length === 2");
  // Whatever the banner says from now on is a connection that was lost.
  await tab.evaluate(`{
    window.said = [];
    new MutationObserver(() => said.push(document.querySelector("#banner").textContent))
      .observe(document.querySelector("#banner"), { childList: true, subtree: true, characterData: true });
  }`);
}
const states = await Promise.all(tabs.map((tab) => tab.evaluate("document.visibilityState")));
assert.deepEqual(states, [...Array(TABS - 1).fill("hidden"), "visible"]);
await sleep(HIDDEN);
await say(bob, "@Ada, are you all there?");
for (const tab of tabs) {
  await tab.until(shows("@Ada, are you all there?"));
  // Bob has entered a room of hers, too.
  await tab.until(rings(2));
}
await tabs[2].evaluate("document.querySelector('#notifications .heading button').click()");
for (const tab of tabs) await tab.until(rings(0));
assert.deepEqual(await Promise.all(tabs.map((tab) => tab.evaluate("said"))), Array(TABS).fill([]));
assert.deepEqual(await bob.locator(".system").allTextContents(), ["Ada entered"]);
step(`eight tabs, seven of them hidden for ${HIDDEN / 1_000} s, are connected and hear everything`);

const [frozen] = tabs;
await frozen.freeze();
await say(bob, "Said to a frozen tab");
await hears(bob, "Said to a frozen tab");
await tabs[1].until(shows("Said to a frozen tab"));
await frozen.thaw();
await frozen.front();
await frozen.until(shows("Said to a frozen tab"));
await frozen.until("said.includes('Back. Nothing was missed')");
assert.equal(await frozen.evaluate("document.querySelectorAll('.message').length"), 2, "nothing twice");
assert.deepEqual(await bob.locator(".system").allTextContents(), ["Ada entered"]);
step("a frozen tab comes back by itself, and has missed nothing");

await window.close();
await finish(server);
