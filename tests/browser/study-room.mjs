// The study room and people with browsers in front of it, for the scripts beside this file.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { installed, launch, step } from "./browser.mjs";

const { STUDY_ROOM, STUDY_ROOM_FOLDER, SCREENSHOTS } = process.env;
const PASSWORD = "correct horse";
const SECRET = "only for tests, thirty-two octets";

const AXE = readFileSync(installed.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(SCREENSHOTS, { recursive: true });

export const browser = await launch();
export { step };

/** What went wrong in pages. */
const problems = [];

/** Starts the study room; resolves with its address when it says where to click. */
export async function start(addr, settings = {}) {
  const server = spawn(STUDY_ROOM, [], {
    env: {
      ...process.env,
      STUDY_ROOM_ADDR: addr,
      DATABASE_URL: `sqlite://${STUDY_ROOM_FOLDER}/browser.sqlite`,
      JWT_SECRET: SECRET,
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Not inherited: where this script is killed, nobody waits for what the server could still say.
  server.stderr.on("data", (octets) => process.stderr.write(octets));
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

export async function kill(server) {
  server.kill("SIGKILL");
  await once(server, "exit");
}

/** A browser of its own, through the door. */
export async function person(url, name, options) {
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
  await screenshot(page, `door-faults-${name}`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await screenshot(page, `door-${name}`);
  await page.getByRole("button", { name: "Make it and enter" }).click();
  await page.waitForURL("**/rooms");
  return page;
}

/** Somebody who has an account comes in through the door that `page` shows. */
export async function enter(page, name) {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Enter", exact: true }).click();
  await page.waitForURL((address) => address.pathname !== "/");
}

/** Has the login of a browser end so many seconds from now: its cookie, with another end. */
export async function endLoginIn(context, seconds) {
  const cookie = (await context.cookies()).find(({ name }) => name === "token");
  const [head, claims] = cookie.value.split(".");
  const ends = { ...JSON.parse(Buffer.from(claims, "base64url")), exp: Math.floor(Date.now() / 1_000) + seconds };
  const signed = `${head}.${Buffer.from(JSON.stringify(ends)).toString("base64url")}`;
  const value = `${signed}.${createHmac("sha256", SECRET).update(signed).digest("base64url")}`;
  await context.addCookies([{ ...cookie, value }]);
}

/** Makes a room and enters it; resolves with its address. */
export async function makeRoom(page, name) {
  // Before the rooms are there the page's script may not have come so far as to hear a click.
  await page.locator("#rooms:not([hidden]), #empty:not([hidden])").waitFor();
  await page.getByRole("button", { name: "New room" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.waitForURL("**/rooms/*");
  return page.url();
}

export async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** Nothing on the page is a barrier: axe-core finds no violation, and nothing scrolls sideways. */
export async function isAccessible(page, what) {
  // Through the debugger, which the page's content security policy does not bind.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`);
  assert.deepEqual(told, [], what);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} scrolls sideways`);
}

export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export const NARROW = { width: 320, height: 640 };

/** The same page in every size and colour scheme, each without barriers and with its picture; `seen` is what it goes back to. */
export async function inEverySize(page, name, seen, sizes = { wide: WIDE, phone: PHONE, narrow: NARROW }) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await isAccessible(page, `${name}, ${size}, ${colorScheme}`);
      await screenshot(page, `${name}-${size}-${colorScheme}`);
    }
  }
  await page.setViewportSize(seen);
  await page.emulateMedia({ colorScheme: "light" });
}

/** Waits for a message that is kept: one's own has its RECEIPT. */
export const hears = (page, text) => page.locator(".message:not(.waiting)", { hasText: text }).waitFor();
export const screenshot = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

/** The end of a script where all went well. */
export async function finish(server) {
  await browser.close();
  await kill(server);
  assert.deepEqual(problems, [], "nothing went wrong in the pages");
  process.exit(0);
}
