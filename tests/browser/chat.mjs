// Two people in two browsers: `STUDY_ROOM=path/to/study-room STUDY_ROOM_FOLDER=… SCREENSHOTS=… node chat.mjs`.
//
// The study room is started, killed in the middle and started again on the same data.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { STUDY_ROOM, STUDY_ROOM_FOLDER, SCREENSHOTS, CHROMIUM } = process.env;
const PASSWORD = "correct horse";

mkdirSync(SCREENSHOTS, { recursive: true });

/** Starts the study room; resolves with its address when it says where to click. */
async function start(addr) {
  const server = spawn(STUDY_ROOM, [], {
    env: {
      ...process.env,
      STUDY_ROOM_ADDR: addr,
      DATABASE_URL: `sqlite://${STUDY_ROOM_FOLDER}/browser.sqlite`,
      JWT_SECRET: "only for tests, thirty-two octets",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  // However this script ends, the server ends with it.
  process.on("exit", () => server.kill("SIGKILL"));
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /open (http:\S+)/.exec(line)?.[1];
    if (url) {
      server.stdout.resume();
      return { server, url };
    }
  }
  throw new Error("the study room did not start");
}

async function kill(server) {
  server.kill("SIGKILL");
  await once(server, "exit");
}

let { server, url } = await start("127.0.0.1:0");
const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
const problems = [];

/** A browser of its own, through the door. */
async function person(name, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(`${name}: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    // What a killed server and a refused password leave in the console is meant to be there.
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(text)) problems.push(`${name}: ${text}`);
  });
  await page.goto(url);
  await page.getByRole("button", { name: "New here? Make an account" }).click();
  await page.getByLabel("Name", { exact: true }).fill("<b>");
  await page.getByLabel("Password", { exact: true }).fill("short");
  await page.getByRole("button", { name: "Make it and enter" }).click();
  await page.getByText("This password cannot be used").waitFor();
  assert.ok(await page.getByText("This name cannot be used").isVisible(), "all faults of the form are shown at once");
  assert.equal(await page.evaluate(() => document.activeElement.id), "name", "and the first is where one mends it");
  await page.screenshot({ path: `${SCREENSHOTS}/door-faults-${name}.png` });
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.screenshot({ path: `${SCREENSHOTS}/door-${name}.png` });
  await page.getByRole("button", { name: "Make it and enter" }).click();
  await page.waitForURL("**/rooms");
  return page;
}

const say = async (page, text) => {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
};
const hears = (page, text) => page.locator(".message:not(.waiting)", { hasText: text }).waitFor();
const step = (text) => console.log(`ok - ${text}`);

const ada = await person("Ada", { viewport: { width: 1280, height: 800 } });
await ada.getByText("There is no room yet").waitFor();
await ada.screenshot({ path: `${SCREENSHOTS}/lobby-empty.png` });
await ada.getByRole("button", { name: "New room" }).first().click();
await ada.getByLabel("Name", { exact: true }).fill("Linear algebra");
await ada.getByRole("button", { name: "Make it" }).click();
await ada.waitForURL("**/rooms/*");
const roomUrl = ada.url();
const bob = await person("Bob", { viewport: { width: 390, height: 844 }, colorScheme: "dark" });
await bob.getByText("Linear algebra").click();
await bob.waitForURL(roomUrl);
step("both sign up and enter a room");

await say(ada, "Hello Bob, `det(A)`? https://example.com/notes.");
await hears(bob, "Hello Bob");
await say(bob, "<img src=x onerror=alert(1)> is text");
await hears(ada, "<img src=x onerror=alert(1)> is text");
await hears(ada, "Hello Bob");
assert.equal(await bob.locator(".message a").getAttribute("href"), "https://example.com/notes");
assert.equal(await bob.locator(".message code").textContent(), "det(A)");
await ada.screenshot({ path: `${SCREENSHOTS}/room-wide-light.png` });
await bob.screenshot({ path: `${SCREENSHOTS}/room-phone-dark.png` });
step("they chat, and markup is text");

for (const page of [ada, bob]) {
  await page.getByRole("link", { name: "Rooms", exact: true }).click();
  await page.waitForURL("**/rooms");
  await page.getByText("Linear algebra").click();
  await hears(page, "Hello Bob");
}
step("a room has a way back to the list");

await ada.getByLabel("Message", { exact: true }).fill("x".repeat(4001));
await ada.keyboard.press("Enter");
await ada.getByText("1 character too many: shorten it, or send it in parts").waitFor();
await ada.screenshot({ path: `${SCREENSHOTS}/room-too-long.png` });
await ada.getByLabel("Message", { exact: true }).fill("A draft");
// However it came there: a page of an earlier release, say.
await bob.evaluate(() => {
  const place = `outbox:Bob:${location.pathname.split("/").pop()}`;
  sessionStorage.setItem(place, JSON.stringify([{ key: "long", text: "y".repeat(4312) }]));
});
await bob.reload();
await bob.getByText("at most 4,000 characters, and this one has 4,312. Shorten it, or send it in parts.").waitFor();
assert.equal(await bob.getByRole("button", { name: "Send again" }).count(), 0, "what would fail again is not offered");
await bob.screenshot({ path: `${SCREENSHOTS}/room-too-long-phone.png` });
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
await ada.screenshot({ path: `${SCREENSHOTS}/room-reconnecting.png` });
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
await bob.screenshot({ path: `${SCREENSHOTS}/room-320.png` });
step("the page fits 320 px");

for (const [page, name] of [[ada, "wide-light"], [bob, "320-dark"]]) {
  assert.equal((await page.goto(`${url}/nowhere`)).status(), 404);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.screenshot({ path: `${SCREENSHOTS}/missing-${name}.png` });
  await page.getByRole("link", { name: "Go to the study room" }).click();
  await page.waitForURL("**/rooms");
  await page.goto(roomUrl);
}
step("an unknown address is a page with a way on");

const stranger = await (await browser.newContext()).newPage();
await stranger.goto(url);
const refused = await stranger.evaluate(() => new Promise((resolve) => {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`, "v12.stomp");
  socket.onopen = () => resolve("opened");
  socket.onclose = ({ code }) => resolve(code);
}));
assert.equal(refused, 1006, "without a cookie the handshake is refused");
await stranger.goto(roomUrl);
assert.ok(stranger.url().includes("/?next="), "a stranger comes to the door");
step("a third without a cookie is refused at the handshake");

const tab = await ada.context().newPage();
await tab.goto(roomUrl);
await tab.getByRole("button", { name: "Log out" }).click();
await ada.getByText("You were logged out elsewhere").waitFor();
step("a log-out in one tab reaches the other");

await browser.close();
await kill(server);
assert.deepEqual(problems, [], "nothing went wrong in the pages");
process.exit(0);
