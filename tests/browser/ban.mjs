// A ban: `STUDY_ROOM=… STUDY_ROOM_FOLDER=… SCREENSHOTS=… INSTALLED=… node ban.mjs`.
//
// An administrator bans somebody from the list of members: all of their tabs go to the door at once, which says why and does not let
// them in; the others read that they left, and wait for nobody. The account's page lets them in again.

import assert from "node:assert/strict";
import { finish, hears, inEverySize, isAccessible, kill, makeRoom, NARROW, person, PHONE, say, screenshot, start, step, WIDE } from "./study-room.mjs";

const BANNED = "An administrator has banned you from this study room.";
const GRACE = 60; // seconds: nobody here waits for so long

const banButton = (page, name) => page.getByRole("button", { name: `Ban ${name}`, exact: true });
const dialog = (page) => page.getByRole("dialog", { name: "Ban Bob?" });

let { server, url } = await start("127.0.0.1:0");
const ada = await person(url, "Ada", { viewport: WIDE });
const roomUrl = await makeRoom(ada, "Linear algebra");
assert.equal(await ada.locator(".ban").count(), 0);
await kill(server);
({ server } = await start(new URL(url).host, { STUDY_ROOM_ADMINS: "ada", STUDY_ROOM_SETTLING: "0", STUDY_ROOM_GRACE: `${GRACE}` }));
await ada.reload();
const bob = await person(url, "Bob", { viewport: PHONE });
const cy = await person(url, "Cy", { viewport: WIDE });
for (const page of [bob, cy]) await page.goto(roomUrl);
await say(bob, "Buy cheap exam answers here!");
await hears(cy, "exam answers");
const account = await bob.context().newPage();
const stream = account.waitForRequest((request) => new URL(request.url()).pathname === "/events");
await account.goto(`${url}/account`);
await stream;

await banButton(ada, "Bob").waitFor();
assert.equal(await banButton(ada, "Ada").count(), 0, "nobody bans themselves");
assert.equal(await cy.locator(".ban").count(), 0, "who is no administrator is offered nothing");
await inEverySize(ada, "members-administrator", WIDE, { wide: WIDE, narrow: NARROW });
await banButton(ada, "Bob").click();
await dialog(ada).getByText("logged out everywhere at once").waitFor();
await isAccessible(ada, "ban, asked");
await screenshot(ada, "ban-asked-wide");
await dialog(ada).getByRole("button", { name: "Cancel" }).click();
assert.equal(await ada.getByRole("dialog").count(), 0);
await say(bob, "Still here");
await hears(ada, "Still here");
step("an administrator is asked once more, and may think again");

await banButton(ada, "Bob").click();
const began = Date.now();
await dialog(ada).getByRole("button", { name: "Ban", exact: true }).click();
for (const page of [bob, account]) await page.getByText(BANNED).waitFor();
for (const page of [ada, cy]) await page.getByText("Bob left", { exact: true }).waitFor();
const took = Date.now() - began;
console.log(`all know of it after ${took} ms`);
assert.ok(took < 1_000 * GRACE / 2, "long before the grace is over");
for (const page of [bob, account]) assert.equal(new URL(page.url()).pathname, "/");
await ada.locator(".person", { hasText: "Bob" }).filter({ hasText: "Offline" }).waitFor();
await isAccessible(bob, "door, banned");
await screenshot(bob, "door-banned-phone");
step("all tabs of who is banned are at the door, which says why, and the others read that they left");

const requests = [];
bob.context().on("request", (request) => requests.push(new URL(request.url()).pathname));
await bob.goto(roomUrl);
assert.equal(new URL(bob.url()).pathname, "/", "the return is refused");
await bob.getByLabel("Name", { exact: true }).fill("Bob");
await bob.getByLabel("Password", { exact: true }).fill("correct horse");
await bob.getByRole("button", { name: "Enter", exact: true }).click();
await bob.getByText("An administrator has banned this account from the study room.").waitFor();
await screenshot(bob, "door-banned-refused-phone");
await account.waitForTimeout(1_000);
assert.deepEqual(requests.filter((path) => path === "/ws" || path === "/events"), [], "and no page tries by itself");
await say(cy, "Thank you");
await hears(ada, "Thank you");
step("neither the cookie nor the password lets them in");

await ada.goto(`${url}/account`);
await ada.getByRole("heading", { name: "Who is banned" }).waitFor();
await inEverySize(ada, "account-banned", WIDE, { wide: WIDE, narrow: NARROW });
await ada.getByRole("button", { name: "Let in again: Bob" }).click();
await ada.getByRole("heading", { name: "Who is banned" }).waitFor({ state: "hidden" });
await bob.getByRole("button", { name: "Enter", exact: true }).click();
await bob.waitForURL(roomUrl);
await hears(bob, "Thank you");
await cy.getByText("Bob entered", { exact: true }).waitFor();
step("until an administrator lets them in again");

await finish(server);
