// Two people whose connections break: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node resume.mjs`.
//
// The network is cut for one of them, RECEIPTs are lost, and the study room is killed and started again: nobody sees a message
// twice, misses one, or is told wrongly that nothing was missed.

import assert from "node:assert/strict";
import { FlakyNetwork, freePort } from "./flaky-network.mjs";
import { finish, hears, kill, makeRoom, person, say, screenshot, start, step } from "./study-room.mjs";

const AWAY = "Reconnecting, your messages are kept";
const COMPLETE = "Back. Nothing was missed";
const RELOADED = "Back. This page was reloaded because it was away too long";

const port = await freePort();
const network = new FlakyNetwork(port);
const url = `http://127.0.0.1:${await network.listen()}`;
const restart = async () => (await start(`127.0.0.1:${port}`, { STUDY_ROOM_PUBLIC_URL: url })).server;
let server = await restart();

/** Frames of a page's WebSockets since it was last asked, as text: `sent` and `heard`. */
function record(page) {
  let frames = { sent: [], heard: [] };
  page.on("websocket", (socket) => {
    socket.on("framesent", ({ payload }) => frames.sent.push(payload.toString()));
    socket.on("framereceived", ({ payload }) => frames.heard.push(payload.toString()));
  });
  return () => {
    const taken = frames;
    frames = { sent: [], heard: [] };
    return taken;
  };
}

const cookieOf = async (page) => (await page.context().cookies()).find(({ name }) => name === "token").value;
const allConfirmed = (page) => page.locator("#messages:not(:has(.waiting))").waitFor({ state: "attached" });
const texts = (page) => page.locator(".message .bubble").allTextContents();
const room = (frames) => frames.sent.filter((frame) => /^SUBSCRIBE\n[^]*\/topic\/rooms\/\w+\/chat\n/.test(frame));
const histories = (frames) => frames.heard.filter((frame) => frame.includes('"type":"history"'));

/** A state in both colour schemes. */
async function shots(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await screenshot(page, `${name}-${colorScheme}`);
  }
}

const ada = await person(url, "Ada", { viewport: { width: 1280, height: 800 } });
const bob = await person(url, "Bob", { viewport: { width: 390, height: 844 } });
const [adas, bobs] = [await cookieOf(ada), await cookieOf(bob)];
const roomUrl = await makeRoom(ada, "Linear algebra");
await bob.goto(roomUrl);
await hearsEverything([]);

const requests = [];
// The browser fetches its tab's icon by itself, whether the page shows it too or not.
const isTabIcon = (request) => request.resourceType() === "other" && request.url().endsWith("/icon.svg");
ada.on("request", (request) => isTabIcon(request) || requests.push(`${request.method()} ${request.url()}`));
await ada.reload();
await say(ada, "One");
await hears(ada, "One");
assert.ok(requests.length > 10, "a page has its scripts");
assert.deepEqual(requests.filter((request, index) => requests.indexOf(request) !== index), []);
step("a page fetches nothing twice");

const [adasFrames, bobsFrames] = [record(ada), record(bob)];
await Promise.all([ada.reload(), bob.reload()]);
await hearsEverything(["One"]);
await say(bob, "Two");
await hearsEverything(["One", "Two"]);
adasFrames();

network.cut(adas);
await ada.getByText(AWAY).waitFor();
await say(bob, "Three");
await say(bob, "Four");
await hears(bob, "Four");
await say(ada, "Five");
await ada.locator(".message.waiting", { hasText: "Five" }).waitFor();
await shots(ada, "resume-away-wide");
network.restore(adas);
await ada.getByText(COMPLETE).waitFor();
await shots(ada, "resume-back-wide");
await hearsEverything(["One", "Two", "Three", "Four", "Five"]);
let frames = adasFrames();
assert.equal(room(frames).length, 1);
assert.match(room(frames)[0], /\nresume-from:/);
assert.deepEqual(histories(frames), [], "what was missed comes message by message");
step("after a cut the page goes on where it was");

network.deafen(adas);
bobsFrames();
await say(ada, "Six");
await hears(bob, "Six");
assert.equal(await ada.locator(".message.waiting", { hasText: "Six" }).count(), 1, "its RECEIPT was lost");
network.cut(adas);
await ada.getByText(AWAY).waitFor();
network.restore(adas);
await ada.getByText(COMPLETE).waitFor();
await hearsEverything(["One", "Two", "Three", "Four", "Five", "Six"]);
const keys = adasFrames().sent.filter((frame) => /^SEND\n[^]*\/chat\n/.test(frame)).map((frame) => /\nmessage-key:(.*)/.exec(frame)[1]);
assert.deepEqual(keys, [keys[0], keys[0]], "it was sent again with its key");
await say(bob, "Seven");
await hears(bob, "Seven");
assert.equal(bobsFrames().heard.filter((frame) => frame.includes("Six")).length, 1, "the server took it once");
step("a message whose RECEIPT was lost is said once");

await hears(ada, "Seven");
network.deafen(adas);
adasFrames();
await say(ada, "Eight");
await hears(bob, "Eight");
await kill(server);
for (const page of [ada, bob]) await page.getByText(AWAY).waitFor();
await say(ada, "Nine");
await shots(bob, "resume-away-phone");
bobsFrames();
server = await restart();
await Promise.all([ada, bob].map((page) => page.getByText(COMPLETE).waitFor()));
const all = ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];
await hearsEverything(all);
for (const taken of [adasFrames(), bobsFrames()]) {
  assert.ok(taken.heard.some((frame) => frame.includes("\nrecovered:false")), "the new server does not know the place");
  assert.equal(histories(taken).length, 1, "so the page reads the history, once");
}
const kept = await ada.evaluate(async () => (await fetch(`/api${location.pathname}/messages`)).json());
assert.deepEqual(kept.messages.map(({ text }) => text), all, "the database has what was sent again once");
step("after a kill the page reads the history, and what was not confirmed is kept once");

const many = (name) => Array.from({ length: 55 }, (_, index) => `${name} ${index + 1}`);
await saysWhileBobIsAway(many("Lesson"));
network.restore(bobs);
await bob.getByText(COMPLETE).waitFor();
await shots(bob, "resume-back-phone");
await hearsEverything([...all, ...many("Lesson")]);
step("more than a page of history is resumed too");

await saysWhileBobIsAway(many("Exercise"));
await kill(server);
server = await restart();
network.restore(bobs);
await bob.getByText(RELOADED).waitFor();
await shots(bob, "resume-reloaded-phone");
await bob.getByText("Exercise 55", { exact: true }).waitFor();
assert.deepEqual(await texts(bob), many("Exercise").slice(5), "the newest page, without a hole in it");
await bob.getByRole("button", { name: "Load older messages" }).click();
await bob.getByText("Exercise 1", { exact: true }).waitFor();
step("where messages are missing in between, the page says that it was reloaded");

await shots(ada, "resume-end-wide");
await finish(server);

/** Waits until both see exactly these messages, in this order, all of them kept. */
async function hearsEverything(expected) {
  for (const page of [ada, bob]) {
    if (expected.length > 0) await hears(page, expected.at(-1));
    else await page.getByText("Nobody has said anything yet").waitFor();
    await allConfirmed(page);
    assert.deepEqual(await texts(page), expected);
  }
}

/** Ada says something, message by message, while Bob's network is cut. */
async function saysWhileBobIsAway(messages) {
  network.cut(bobs);
  await bob.getByText(AWAY).waitFor();
  for (const text of messages) await say(ada, text);
  await hears(ada, messages.at(-1));
  await allConfirmed(ada);
}
