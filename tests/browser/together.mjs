// People who study together: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node together.mjs`.
//
// They see one focus timer, whoever comes late or was away, see who types, and write to each other alone; every page on the way is
// without barriers.

import assert from "node:assert/strict";
import {
  browser, finish, hears, inEverySize, isAccessible, kill, makeRoom, person, PHONE, say, screenshot, start, step, WIDE,
} from "./study-room.mjs";

/** What a page's timer shows, in seconds, and the end that it promises by this machine's clock, in milliseconds. */
const read = (page) => page.evaluate(() => {
  const [minutes, seconds] = document.querySelector("#timer-left").textContent.split(":").map(Number);
  const left = 60 * minutes + seconds;
  return { left, end: Date.now() + 1_000 * left };
});

/** All timers end at the same moment; what they show is rounded to a second, and a busy machine may be late, but not each time. */
async function endTogether(...pages) {
  let ends;
  for (let time = 0; time < 3; time += 1) {
    ends = (await Promise.all(pages.map(read))).map(({ end }) => end);
    if (Math.max(...ends) - Math.min(...ends) < 2_000) return;
  }
  assert.fail(`all show the same: ${ends}`);
}

/** All timers stand still at the same second; resolves with it. */
async function standTogether(...pages) {
  const [one, ...others] = (await Promise.all(pages.map(read))).map(({ left }) => left);
  for (const other of others) assert.equal(other, one, "all stand at the same second");
  return one;
}

let { server, url } = await start("127.0.0.1:0");
const stranger = await (await browser.newContext({ viewport: WIDE })).newPage();
await stranger.goto(url);
await inEverySize(stranger, "door", WIDE);
await stranger.getByRole("button", { name: "New here? Make an account" }).click();
await stranger.getByText("At least 8 characters.").waitFor();
await isAccessible(stranger, "door, turned");
await stranger.context().close();
step("the door has no barriers");

const ada = await person(url, "Ada", { viewport: WIDE });
const bob = await person(url, "Bob", { viewport: PHONE });
await isAccessible(bob, "lobby, empty");
const roomUrl = await makeRoom(ada, "Linear algebra");
await bob.goto(roomUrl);
for (const page of [ada, bob]) await page.getByText("Nobody has said anything yet").waitFor();
await isAccessible(ada, "room, empty");

await ada.getByRole("button", { name: "Start", exact: true }).click();
await ada.getByRole("button", { name: "Pause" }).waitFor();
await bob.locator("#open-timer .word", { hasText: "Focus" }).waitFor();
await endTogether(ada, bob);
assert.match(await ada.title(), /^2[45] min focus · Linear algebra · Study room$/);
const cy = await person(url, "Cy", { viewport: WIDE });
await cy.locator(".focus", { hasText: /Focus 2\d min/ }).waitFor();
await cy.getByRole("heading", { name: "Linear algebra" }).click();
await cy.getByRole("button", { name: "Pause" }).waitFor();
await endTogether(ada, bob, cy);
assert.ok((await read(cy)).left < 25 * 60, "it has gone on");
step("a late comer sees the second that the others see");

await bob.locator("#open-timer").click();
await bob.getByRole("dialog").getByText("Set going by Ada").waitFor();
await isAccessible(bob, "timer sheet");
await screenshot(bob, "timer-sheet-phone-light");
await bob.getByRole("button", { name: "Pause" }).click();
for (const page of [ada, bob, cy]) await page.getByText("Paused by Bob").waitFor();
const paused = await standTogether(ada, bob, cy);
await bob.keyboard.press("Escape");
assert.equal(await bob.evaluate(() => document.activeElement.id), "open-timer", "the focus is back where it was");
assert.equal(await ada.title(), "Linear algebra · Study room");
await cy.context().setOffline(true);
await cy.evaluate(() => dispatchEvent(new Event("offline")));
await ada.getByRole("button", { name: "Resume" }).click();
await bob.locator("#open-timer .word", { hasText: /^Focus$/ }).waitFor();
await cy.context().setOffline(false);
await cy.reload();
await cy.getByRole("button", { name: "Pause" }).waitFor();
await endTogether(ada, bob, cy);
assert.ok((await read(ada)).left <= paused, "a pause takes nothing away and gives nothing");
step("a pause is everyone's, and whoever was away sees what holds now");

const away = await cy.context().newPage();
await away.addInitScript(() => {
  window.told = [];
  window.Notification = class {
    static permission = "granted";
    static requestPermission = async () => "granted";
    constructor(title, { body }) {
      window.told.push({ title, body });
    }
  };
  document.hasFocus = () => false;
});
await away.clock.install();
await away.goto(roomUrl);
await away.getByRole("button", { name: "Pause" }).waitFor();
for (const wish of ["Quiet sound at the end", "Notification at the end"]) {
  assert.equal(await away.getByLabel(wish).isChecked(), false, "off until somebody wants it");
  await away.getByLabel(wish).check();
}
await away.clock.fastForward(1_000 * (await read(away)).left + 1_500);
await away.locator("#timer-said", { hasText: "The focus round is over" }).waitFor({ state: "attached" });
const told = await away.evaluate(() => window.told);
assert.deepEqual(told, [{ title: "The focus round is over. Take a break.", body: "Linear algebra" }], "once");
await away.close();
step("whoever wants it is told of the end, with a sound and a notification");

await say(ada, "Who has done exercise 3? `rank(A)` is 2, see https://example.com/notes.");
await hears(bob, "exercise 3");
const line = ada.locator("#typing");
const before = await ada.locator(".composer").boundingBox();
await bob.getByLabel("Message", { exact: true }).pressSequentially("I have");
await line.getByText("Bob is typing").waitFor();
await cy.getByLabel("Message", { exact: true }).pressSequentially("Me");
await line.getByText("Bob and Cy are typing").waitFor();
await screenshot(ada, "room-typing-wide");
assert.deepEqual(await ada.locator(".composer").boundingBox(), before, "the line moves nothing");
await bob.keyboard.press("Enter");
await hears(ada, "I have");
await cy.getByLabel("Message", { exact: true }).pressSequentially("?");
await line.getByText("Cy is typing").waitFor();
await cy.getByLabel("Message", { exact: true }).fill("");
await ada.locator("#typing:empty").waitFor({ state: "attached" });
// Nobody types, clears and types within a second but a script: the server takes two signals in it.
await cy.waitForTimeout(1_000);
await cy.getByLabel("Message", { exact: true }).pressSequentially("Now");
await line.getByText("Cy is typing").waitFor();
await ada.locator("#typing:empty").waitFor({ state: "attached", timeout: 15_000 });
step("people see who types, until it is sent, taken back or forgotten");

for (const text of ["And exercise 4?", "It is the one with the matrix that is not square."]) {
  await say(bob, text);
  await hears(ada, text);
}
await inEverySize(ada, "room", WIDE);
await bob.reload();
await bob.getByLabel("Message", { exact: true }).fill("A draft for later");
await bob.reload();
await bob.getByLabel("Message", { exact: true }).waitFor();
assert.equal(await bob.getByLabel("Message", { exact: true }).inputValue(), "A draft for later");
step("the room has no barriers, and a draft survives a reload");

await ada.getByRole("link", { name: "Bob", exact: true }).first().click();
await ada.waitForURL("**/messages/*");
await ada.getByText("Nobody has said anything yet").waitFor();
await say(ada, "Just between us: thank you!");
await hears(ada, "thank you");
await bob.getByRole("link", { name: "Messages, 1 unread" }).waitFor();
await screenshot(bob, "unread-phone");
const tab = await bob.context().newPage();
await tab.goto(url + "/rooms");
await tab.getByRole("link", { name: "Messages, 1 unread" }).waitFor();
await bob.getByRole("link", { name: "Messages, 1 unread" }).click();
await bob.getByRole("link", { name: /Ada/ }).waitFor();
await isAccessible(bob, "messages, a list");
await screenshot(bob, "messages-list-phone");
await bob.getByRole("link", { name: /Ada/ }).click();
await hears(bob, "thank you");
await tab.getByRole("link", { name: "Messages", exact: true }).waitFor();
await say(bob, "You are welcome");
await hears(ada, "You are welcome");
assert.ok((await cy.getByRole("link", { name: "Messages", exact: true }).count()) === 1, "nobody else has heard of it");
await inEverySize(bob, "messages", PHONE);
step("what one writes to another comes to all tabs of both, and is read in all");

await kill(server);
await ada.getByText("Reconnecting, your messages are kept").waitFor();
await say(ada, "Written while the server was away");
({ server } = await start(new URL(url).host));
await hears(bob, "Written while the server was away");
await ada.reload();
await hears(ada, "Written while the server was away");
assert.equal(await ada.locator(".message").count(), 3, "nothing twice, nothing missing");
step("direct messages survive a killed server");

await tab.goto(roomUrl);
await tab.getByText("Ready").first().waitFor();
const lobby = await ada.context().newPage();
await lobby.goto(`${url}/rooms`);
await lobby.locator(".tile").first().waitFor();
await lobby.locator(".occupancy", { hasText: "2 in" }).waitFor();
await tab.locator("#open-timer").click();
await tab.getByRole("button", { name: "Start", exact: true }).click();
await lobby.locator(".focus", { hasText: /Focus 2\d min/ }).waitFor();
await lobby.setViewportSize(WIDE);
await inEverySize(lobby, "lobby", WIDE);
step("the lobby has no barriers, and shows who is in and what the timers say");

await finish(server);
