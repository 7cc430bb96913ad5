// Chromium's tabs as people have them: those behind another one are hidden, and their timers are throttled. Pages of playwright all
// believe that somebody looks at them, so this speaks the DevTools protocol itself.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { within } from "../interop/within.mjs";
import { ARGUMENTS, installed } from "./browser.mjs";

const WebSocket = installed("ws");
const PATIENCE = 60_000; // milliseconds

/** A browser with one window. */
export class Window {
  #child;
  #profile = mkdtempSync(join(tmpdir(), "parlor-tabs-"));
  #socket;
  #waiting = new Map(); // by the id of the command
  #next = 1;

  /** Resolves with a window that has one empty tab. */
  static async open() {
    const window = new Window();
    await window.#start();
    return window;
  }

  async #start() {
    this.#child = spawn(
      process.env.CHROMIUM,
      ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${this.#profile}`, ...ARGUMENTS, "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    // However this script ends, the browser ends with it, and leaves as little as it can.
    process.on("exit", () => {
      this.#child.kill("SIGKILL");
      this.#forget();
    });
    for await (const line of createInterface({ input: this.#child.stderr })) {
      const url = /DevTools listening on (\S+)/.exec(line)?.[1];
      if (!url) continue;
      this.#child.stderr.resume();
      this.#socket = new WebSocket(url);
      await once(this.#socket, "open");
      this.#socket.on("message", (text) => this.#heard(JSON.parse(text)));
      return;
    }
    throw new Error("Chromium did not start");
  }

  #heard({ id, result, error }) {
    const { resolve, reject } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  }

  /** One command of the protocol. */
  send(method, params = {}, sessionId = undefined) {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  /** Opens a tab in front of the others, which are hidden from then on. */
  async tab(url) {
    const { targetId } = await this.send("Target.createTarget", { url });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    await tab.until("document.readyState === 'complete' && location.href !== 'about:blank'", url);
    return tab;
  }

  /** Closes it as its user would: killed, its other processes would still write to the folder. */
  async close() {
    const exit = once(this.#child, "exit");
    this.send("Browser.close").catch(() => {});
    await within(exit, "end of Chromium");
    this.#forget();
  }

  #forget() {
    try {
      rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
    } catch {
      // One of its processes still writes there: no reason to fail.
    }
  }
}

/** One of its tabs. */
class Tab {
  #window;
  #targetId;
  #sessionId;

  constructor(window, targetId, sessionId) {
    this.#window = window;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
  }

  /** What an expression comes to in the page; a promise is waited for. */
  async evaluate(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. It is looked at from outside: the page's own timers may be throttled. */
  async until(expression, what = expression) {
    const end = Date.now() + PATIENCE;
    // A page that is being left has nothing to say.
    while (!(await this.evaluate(expression).catch(() => false))) {
      if (Date.now() > end) throw new Error(`${what} takes too long`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Brings it in front of the others. */
  front() {
    return this.#window.send("Target.activateTarget", { targetId: this.#targetId });
  }

  /** What browsers do with a tab that was hidden for long: nothing of the page runs. It must not be asked anything then. */
  freeze() {
    return this.#send("Page.setWebLifecycleState", { state: "frozen" });
  }

  thaw() {
    return this.#send("Page.setWebLifecycleState", { state: "active" });
  }

  #send(method, params) {
    return this.#window.send(method, params, this.#sessionId);
  }
}
