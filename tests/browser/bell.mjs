// The bell: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node bell.mjs`.
//
// Who was away finds on return what there is to hear of, what one tab has read is read in all, and eight tabs of one person need one
// event stream.

import assert from "node:assert/strict";
import { bell, list, rings, told } from "./bells.mjs";
import { finish, hears, inEverySize, kill, makeRoom, person, PHONE, say, screenshot, start, step, WIDE } from "./study-room.mjs";

const TABS = 8;

// Whoever enters is announced at once.
let { server, url } = await start("127.0.0.1:0", { STUDY_ROOM_SETTLING: "0" });
const ada = await person(url, "Ada", { viewport: WIDE });
const bob = await person(url, "Bob", { viewport: PHONE });
const cy = await person(url, "Cy", { viewport: WIDE });
await rings(ada, 0);
const roomUrl = await makeRoom(ada, "Linear algebra");
await bob.goto(roomUrl);
await rings(ada, 1);
await bell(ada, 1).click();
assert.deepEqual(await told(ada), [["Bob entered your room Linear algebra", "unread"]]);
await ada.keyboard.press("Escape");
assert.equal(await list(ada).isVisible(), false);
assert.equal(await ada.evaluate(() => document.activeElement.getAttribute("popovertarget")), "notifications", "the focus is back");
step("who made a room hears who enters it");

await bob.goto("about:blank");
await say(ada, "@Bob, can you look at exercise 3? I get `rank(A) = 2`, and the book says 3, which cannot be with two equal rows.");
await hears(ada, "exercise 3");
await cy.goto(roomUrl);
await rings(ada, 2);
await say(cy, "@bob I have it too");
await hears(cy, "I have it too");
await bob.goto(`${url}/rooms`);
await rings(bob, 2);
await screenshot(bob, "bell-phone");
const tab = await bob.context().newPage();
await tab.setViewportSize(WIDE);
await tab.goto(`${url}/account`);
await rings(tab, 2);
step("who was away finds it on return, over a WebSocket and as an event stream");

await bell(bob, 2).click();
assert.deepEqual(await told(bob), [["Cy mentioned you in Linear algebra", "unread"], ["Ada mentioned you in Linear algebra", "unread"]]);
await inEverySize(bob, "notifications", PHONE);
await list(bob).getByRole("link", { name: /Cy mentioned you/ }).click();
await bob.waitForURL("**/rooms/*");
await hears(bob, "I have it too");
for (const page of [bob, tab]) await rings(page, 1);
await bell(tab, 1).click();
assert.deepEqual(await told(tab), [["Ada mentioned you in Linear algebra", "unread"], ["Cy mentioned you in Linear algebra", ""]]);
await inEverySize(tab, "notifications-account", WIDE);
await say(ada, "@Bob, never mind");
for (const page of [bob, tab]) await rings(page, 2);
await list(tab).getByRole("button", { name: "Mark all as read" }).click();
for (const page of [bob, tab]) await rings(page, 0);
await bob.reload();
await rings(bob, 0);
await bell(bob, 0).click();
await list(bob).getByText("Nothing new").waitFor();
await screenshot(bob, "notifications-nothing-phone");
await bob.keyboard.press("Escape");
step("what is read in one tab is read in the other at once, and stays so");

await kill(server);
({ server } = await start(new URL(url).host));
await hears(bob, "never mind");
await say(ada, "@Bob, are you back?");
await hears(ada, "are you back?");
for (const page of [bob, tab]) await rings(page, 1);
await tab.close();
step("both transports come back after a killed server");

/** Requests for an event stream: which page asked, and whether it still holds it. */
const streams = [];
cy.context().on("request", (request) => {
  if (new URL(request.url()).pathname === "/events") streams.push({ page: request.frame().page(), request, isOpen: true });
});
const ended = (request) => streams.forEach((stream) => stream.request === request && (stream.isOpen = false));
cy.context().on("requestfinished", ended);
cy.context().on("requestfailed", ended);
const open = () => streams.filter(({ isOpen, page }) => isOpen && !page.isClosed());

await cy.goto("about:blank");
const tabs = await Promise.all(Array.from({ length: TABS }, () => cy.context().newPage()));
for (const page of tabs) {
  await page.goto(`${url}/account`);
  await page.getByText("this browser").waitFor();
  await rings(page, 0);
}
await say(ada, "@Cy, all of you?");
for (const page of tabs) await rings(page, 1);
assert.equal(streams.length, 1, "one stream for all of them");
await bell(tabs[5], 1).click();
await list(tabs[5]).getByRole("button", { name: "Mark all as read" }).click();
for (const page of tabs) await rings(page, 0);
step("eight tabs of one person share one event stream");

const [leader] = open();
await leader.page.close();
const others = tabs.filter((page) => page !== leader.page);
await say(ada, "@Cy, and now?");
for (const page of others) await rings(page, 1);
assert.equal(open().length, 1);
assert.notEqual(open()[0].page, leader.page);
assert.equal(streams.length, 2, "one tab follows, and no other");
step("when the tab that holds it is closed, another takes over and nothing is lost");

await others[3].getByRole("button", { name: "Log out", exact: true }).click();
await others[3].getByRole("button", { name: "Enter", exact: true }).waitFor();
for (const page of others) {
  await page.waitForURL((address) => address.pathname === "/");
  await page.getByRole("button", { name: "Enter", exact: true }).waitFor();
}
assert.ok(streams.length <= 2 + others.length, `each tab asks once at most: ${streams.length}`);
step("a log-out leads all tabs to the door, and none knocks again");

await finish(server);
