// The end of a login: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node login.mjs`.
//
// It is told ahead, and *Stay* has all tabs go on as they are; the account's page shows all logins and ends them, here, there and
// everywhere; a page says plainly why it is at the door, and one whose cookie has expired does not knock again and again.

import assert from "node:assert/strict";
import {
  browser, endLoginIn, enter, finish, hears, inEverySize, isAccessible, kill, makeRoom, person, PHONE, say, screenshot, start, step, WIDE,
} from "./study-room.mjs";

const SOON = 25; // seconds: pages are there in less, on a busy machine too; in the last 30 it is less than a minute
const QUIET = 2_000; // milliseconds in which nobody may knock: four times the first delay of a page that comes back
const ELSEWHERE = "You were logged out elsewhere. Enter again to go on.";
const OVER = "Your session has ended. Enter again to go on.";

const warning = (page) => page.locator(".expiry p");
const stay = (page) => page.getByRole("button", { name: "Stay", exact: true });
const logins = (page) => page.locator("#logins li");
const isAtDoor = async (page, why) => {
  // A login that ends soon has to end first.
  await page.getByText(why).waitFor({ timeout: 2_000 * SOON });
  assert.equal(new URL(page.url()).pathname, "/");
};

/** What the pages of a context ask the server for: `requests` by path, files apart, and how many WebSockets they opened. */
function watch(context) {
  const asked = { requests: [], sockets: 0 };
  const ofPage = (page) => page.on("websocket", () => (asked.sockets += 1));
  context.pages().forEach(ofPage);
  context.on("page", ofPage);
  context.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith("/assets/")) asked.requests.push(`${request.method()} ${pathname}`);
  });
  return asked;
}
const forget = (asked) => Object.assign(asked, { requests: [], sockets: 0 });
const knocks = ({ requests }) => requests.filter((request) => /\/(api|events)/.test(request)).length;

let { server, url } = await start("127.0.0.1:0", { STUDY_ROOM_SETTLING: "0" });
const ada = await person(url, "Ada", { viewport: WIDE });
const roomUrl = await makeRoom(ada, "Linear algebra");
const account = await ada.context().newPage();
await account.goto(`${url}/account`);
const asked = watch(ada.context());

// The account's page: another login is seen, and ended from here.
const phone = await (await browser.newContext({ viewport: PHONE })).newPage();
await phone.goto(`${url}/?next=${new URL(roomUrl).pathname}`);
await enter(phone, "Ada");
await say(phone, "From the phone");
await hears(ada, "From the phone");
await account.reload();
await logins(account).nth(1).waitFor();
assert.equal(await logins(account).count(), 2);
assert.equal(await logins(account).filter({ hasText: "this browser" }).count(), 1);
assert.equal(await logins(account).filter({ hasText: "In a room now" }).count(), 2, "both have the room open");
await inEverySize(account, "account", WIDE);
forget(asked);
await account.getByRole("button", { name: /^Log out there/ }).click();
await isAtDoor(phone, ELSEWHERE);
await logins(account).nth(1).waitFor({ state: "detached" });
assert.equal(await account.evaluate(() => document.activeElement.id), "main", "the focus is not lost with the button");
await say(ada, "Still here");
await hears(ada, "Still here");
assert.equal(asked.sockets, 0, "the other login goes on as it was");
await screenshot(phone, "door-logged-out-phone");
await enter(phone, "Ada");
assert.equal(phone.url(), roomUrl, "the door leads back to where one was");
await hears(phone, "Still here");
step("a login is ended from another, which says so, and leads back in");

// Told ahead, in every tab; one of them stays for all.
await endLoginIn(ada.context(), 50);
for (const page of [ada, account]) {
  await page.reload();
  await warning(page).getByText("Your session ends in 1 minute").waitFor();
}
await isAccessible(ada, "room, the login ends");
await screenshot(ada, "expiry-wide");
await stay(account).click();
for (const page of [ada, account]) await warning(page).waitFor({ state: "hidden" });
await endLoginIn(ada.context(), SOON);
const ends = Date.now() + 1_000 * (SOON + 1);
const stream = account.waitForRequest((request) => new URL(request.url()).pathname === "/events");
for (const page of [ada, account]) await page.reload();
await stream;
await warning(account).getByText("Your session ends in less than a minute").waitFor();
await hears(ada, "Still here");
forget(asked);
await stay(ada).click();
for (const page of [ada, account]) await warning(page).waitFor({ state: "hidden" });
await ada.waitForTimeout(Math.max(0, ends - Date.now()));
await say(ada, "After the old end");
for (const page of [ada, phone]) await hears(page, "After the old end");
assert.equal(asked.sockets, 0, "on the same connection");
assert.deepEqual(asked.requests.filter((request) => request !== "GET /api/logins"), ["POST /api/refresh"]);
step("whoever stays goes on in all tabs, on the connections that they have");

// The end: all tabs go to the door and stay there.
await endLoginIn(ada.context(), SOON);
const lobby = await ada.context().newPage();
await lobby.goto(`${url}/rooms`);
for (const page of [ada, account]) await page.reload();
await lobby.locator(".tile").waitFor();
await hears(ada, "After the old end");
await logins(account).nth(1).waitFor();
forget(asked);
for (const page of [ada, account, lobby]) await isAtDoor(page, OVER);
assert.ok(knocks(asked) <= 6, `each of three tabs asks twice at most: ${asked.requests}`);
assert.equal(asked.sockets, 0, "and none tries to connect");
await screenshot(ada, "door-session-ended-wide");
forget(asked);
await ada.waitForTimeout(QUIET);
assert.deepEqual([asked.sockets, asked.requests], [0, []], "nor later");
step("an expired login leads all tabs to the door, and none knocks again");

// The same while the server is away: the page cannot be told, and finds out by one attempt.
await lobby.close();
await account.close();
await enter(ada, "Ada");
assert.equal(ada.url(), roomUrl);
await hears(ada, "After the old end");
// It believes that it has all day, as one whose machine slept over the end: only the server knows.
await endLoginIn(ada.context(), 1);
const over = Date.now() + 2_000;
await kill(server);
await ada.getByText("Reconnecting, your messages are kept").waitFor();
await ada.waitForTimeout(Math.max(0, over - Date.now()));
forget(asked);
({ server } = await start(new URL(url).host, { STUDY_ROOM_SETTLING: "0" }));
await ada.getByRole("button", { name: "Enter", exact: true }).waitFor();
assert.ok(asked.sockets <= 4, `the attempts of a start, of which one is answered: ${asked.sockets}`);
assert.ok(knocks(asked) <= 3, `it asks, and goes: ${asked.requests}`);
forget(asked);
await ada.waitForTimeout(QUIET);
assert.deepEqual([asked.sockets, asked.requests], [0, []], "for good");
step("a cookie that expires while the server is away makes no storm when it is back");

// Out everywhere.
await enter(ada, "Ada");
await hears(ada, "After the old end");
const everywhere = await ada.context().newPage();
await everywhere.goto(`${url}/account`);
await hears(phone, "After the old end");
// Before the logins are there the page's script may not have come so far as to hear a click.
await everywhere.getByText("this browser").waitFor();
await everywhere.getByRole("button", { name: "Log out everywhere" }).click();
await everywhere.getByRole("button", { name: "Enter", exact: true }).waitFor();
for (const page of [ada, phone]) await isAtDoor(page, ELSEWHERE);
assert.ok(!(await everywhere.getByText(ELSEWHERE).isVisible()), "whoever does it is told nothing that they know");
step("a log-out everywhere reaches every browser");

await finish(server);
