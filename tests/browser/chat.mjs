// Two people in two browsers: `STUDY_ROOM=path/to/study-room STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node chat.mjs`.
//
// The study room is started, killed in the middle and started again on the same data.

import assert from "node:assert/strict";
import { within } from "../interop/within.mjs";
import { browser, finish, hears, kill, makeRoom, person, say, screenshot, start, step } from "./study-room.mjs";

let { server, url } = await start("127.0.0.1:0");
const ada = await person(url, "Ada", { viewport: { width: 1280, height: 800 } });
await ada.getByText("There is no room yet").waitFor();
await screenshot(ada, "lobby-empty");
const roomUrl = await makeRoom(ada, "Linear algebra");
const bob = await person(url, "Bob", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
await bob.getByRole("heading", { name: "Linear algebra" }).click();
await bob.waitForURL(roomUrl);
step("both sign up and enter a room");

await say(ada, "Hello Bob, `det(A)`? https://example.com/notes.");
await hears(bob, "Hello Bob");
await say(bob, "<img src=x onerror=alert(1)> is text");
await hears(ada, "<img src=x onerror=alert(1)> is text");
await hears(ada, "Hello Bob");
assert.equal(await bob.locator(".bubble a").getAttribute("href"), "https://example.com/notes");
assert.equal(await bob.locator(".message code").textContent(), "det(A)");
await screenshot(ada, "room-wide-light");
await screenshot(bob, "room-phone-dark");
step("they chat, and markup is text");

for (const page of [ada, bob]) {
  await page.getByRole("link", { name: "Rooms", exact: true }).click();
  await page.waitForURL("**/rooms");
  await page.getByRole("heading", { name: "Linear algebra" }).click();
  await hears(page, "Hello Bob");
}
step("a room has a way back to the list");

await ada.getByLabel("Message", { exact: true }).fill("x".repeat(4001));
await ada.keyboard.press("Enter");
await ada.getByText("1 character too many: shorten it, or send it in parts").waitFor();
await screenshot(ada, "room-too-long");
await ada.getByLabel("Message", { exact: true }).fill("A draft");
// However it came there: a page of an earlier release, say.
await bob.evaluate(() => {
  const place = `outbox:Bob:${location.pathname.split("/").pop()}`;
  sessionStorage.setItem(place, JSON.stringify([{ key: "long", text: "y".repeat(4312) }]));
});
await bob.reload();
await bob.getByText("at most 4,000 characters, and this one has 4,312. Shorten it, or send it in parts.").waitFor();
assert.equal(await bob.getByRole("button", { name: "Send again" }).count(), 0, "what would fail again is not offered");
await screenshot(bob, "room-too-long-phone");
await bob.getByRole("button", { name: "Edit" }).click();
await bob.getByText("312 characters too many").waitFor();
assert.equal(await bob.locator(".failed").count(), 0);
await say(bob, "Shortened");
await hears(ada, "Shortened");
step("a message that is too long says what to do");

await kill(server);
await ada.getByText("Reconnecting, your messages are kept").waitFor();
await say(ada, "Said while the server was away");
await ada.locator(".message.waiting").waitFor();
await screenshot(ada, "room-reconnecting");
({ server } = await start(new URL(url).host));
await ada.getByText("Back. Nothing was missed").waitFor();
await hears(bob, "Said while the server was away");
await hears(ada, "Said while the server was away");
for (const page of [ada, bob]) {
  await page.reload();
  await hears(page, "Hello Bob");
  assert.equal(await page.locator(".message").count(), 4, "nothing twice, nothing missing");
}
await say(bob, "And on we go");
await hears(ada, "And on we go");
step("they survive a killed server with history and unsent messages intact");

await bob.setViewportSize({ width: 320, height: 640 });
assert.equal(await bob.evaluate(() => document.documentElement.scrollWidth), 320, "nothing scrolls sideways at 320 px");
await screenshot(bob, "room-320");
step("the page fits 320 px");

for (const [page, name] of [[ada, "wide-light"], [bob, "320-dark"]]) {
  assert.equal((await page.goto(`${url}/nowhere`)).status(), 404);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await screenshot(page, `missing-${name}`);
  await page.getByRole("link", { name: "Go to the study room" }).click();
  await page.waitForURL("**/rooms");
  await page.goto(roomUrl);
}
step("an unknown address is a page with a way on");

const stranger = await (await browser.newContext()).newPage();
await stranger.goto(url);
const refused = stranger.evaluate(() => new Promise((resolve) => {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`, "v12.stomp");
  socket.onopen = () => resolve("opened");
  socket.onclose = ({ code }) => resolve(code);
}));
assert.equal(await within(refused, "answer to the handshake"), 1006, "without a cookie the handshake is refused");
await stranger.goto(roomUrl);
assert.ok(stranger.url().includes("/?next="), "a stranger comes to the door");
step("a third without a cookie is refused at the handshake");

const tab = await ada.context().newPage();
await tab.goto(roomUrl);
// Only then has the page's script come so far as to hear a click.
await hears(tab, "And on we go");
await tab.getByRole("button", { name: "Log out" }).click();
await ada.getByText("You were logged out elsewhere").waitFor();
step("a log-out in one tab reaches the other");

await finish(server);
