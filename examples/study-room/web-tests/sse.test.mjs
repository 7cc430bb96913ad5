// One stream for all tabs: who leads, who hears, and who leads next.

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./load.mjs";

const { SharedStream, connectTo } = await load("sse.js");

/** One turn of everything that waits. */
const settle = () => new Promise((done) => setImmediate(done));

/** A browser's locks, one at a time by name. */
class Locks {
  #queue = [];
  #isHeld = false;

  request(_, { ifAvailable, signal }, callback) {
    if (ifAvailable) return this.#isHeld ? Promise.resolve(callback(null)) : this.#hold(callback);
    return new Promise((resolve, reject) => {
      const run = () => this.#hold(callback).then(resolve, reject);
      if (!this.#isHeld) return void run();
      this.#queue.push(run);
      signal.addEventListener("abort", () => {
        if (!this.#queue.includes(run)) return;
        this.#queue = this.#queue.filter((waiting) => waiting !== run);
        reject(signal.reason);
      });
    });
  }

  async #hold(callback) {
    this.#isHeld = true;
    const result = await callback({});
    this.#isHeld = false;
    this.#queue.shift()?.();
    return result;
  }
}

/** A browser with tabs; `open` are the streams that are open. */
function newBrowser({ locks = new Locks() } = {}) {
  const channels = new Set();
  const browser = { open: [], tabs: [] };
  const newChannel = () => {
    const channel = {
      postMessage: (data) => channels.forEach((other) => other !== channel && other.onmessage({ data })),
      close: () => channels.delete(channel),
    };
    channels.add(channel);
    return channel;
  };
  browser.newTab = () => {
    const tab = { heard: [], joined: 0 };
    const connect = (onEvent) => {
      browser.open.push({ tab, onEvent });
      return () => (browser.open = browser.open.filter((stream) => stream.tab !== tab));
    };
    tab.stream = new SharedStream({
      name: "x", connect, onEvent: (event) => tab.heard.push(event), onJoined: () => (tab.joined += 1), locks, newChannel,
    });
    browser.tabs.push(tab);
    tab.stream.start();
    return tab;
  };
  return browser;
}

test("of eight tabs one holds the stream, and all hear it once", async () => {
  const browser = newBrowser();
  for (let number = 0; number < 8; number += 1) browser.newTab();
  await settle();
  assert.equal(browser.open.length, 1);
  browser.open[0].onEvent("hello");
  assert.deepEqual(browser.tabs.map(({ heard }) => heard), Array(8).fill(["hello"]));
  assert.deepEqual(browser.tabs.map(({ joined }) => joined), [0, 1, 1, 1, 1, 1, 1, 1], "who joins asks for the beginning");
});

test("when the leader goes, another leads, and one that waits no more does not", async () => {
  const browser = newBrowser();
  const [first, second, third] = [browser.newTab(), browser.newTab(), browser.newTab()];
  await settle();
  second.stream.stop();
  await settle();
  first.stream.stop();
  await settle();
  assert.deepEqual(browser.open.map(({ tab }) => tab), [third]);
  browser.open[0].onEvent("next");
  assert.deepEqual([first.heard, second.heard, third.heard], [[], [], ["next"]]);
});

test("a tab may stop and start again, and starting twice is starting once", async () => {
  const browser = newBrowser();
  const tab = browser.newTab();
  tab.stream.start();
  await settle();
  assert.equal(browser.open.length, 1);
  tab.stream.stop();
  tab.stream.start();
  await settle();
  assert.equal(browser.open.length, 1);
  tab.stream.stop();
  await settle();
  assert.equal(browser.open.length, 0);
});

test("without locks each tab has its own stream", async () => {
  const browser = newBrowser({ locks: null });
  browser.newTab();
  browser.newTab();
  await settle();
  assert.equal(browser.open.length, 2);
  browser.open[0].onEvent("hello");
  assert.deepEqual(browser.tabs.map(({ heard }) => heard), [["hello"], []]);
});

/** An EventSource in the hands of a test. */
class FakeSource extends EventTarget {
  static CLOSED = 2;
  static made = [];
  readyState = 1;

  constructor() {
    super();
    FakeSource.made.push(this);
  }

  close() {
    this.readyState = FakeSource.CLOSED;
  }

  tell(name, data) {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data) }));
  }

  refuse() {
    this.close();
    this.dispatchEvent(new Event("error"));
  }
}

function connected(isLoggedIn) {
  globalThis.EventSource = FakeSource;
  FakeSource.made = [];
  const told = [];
  const connect = connectTo("/events", ["news"], {
    isLoggedIn: async () => isLoggedIn, onOver: (code) => told.push(code), onExpiring: (left) => told.push(left),
  });
  const close = connect((event) => told.push(event));
  return { told, close, source: FakeSource.made[0] };
}

test("an end of the login is told once, and nothing is tried any more", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const end of [(source) => source.tell("parlor.closed", { code: "token-expired" }), (source) => source.refuse()]) {
    const { told, source } = connected(false);
    source.tell("news", 7);
    source.tell("parlor.expiring", { expires_in: 60 });
    end(source);
    await settle();
    t.mock.timers.tick(60_000);
    assert.deepEqual(told.slice(0, 2), [7, 60_000]);
    assert.equal(told.length, 3);
    assert.deepEqual([FakeSource.made.length, source.readyState], [1, 2]);
  }
});

test("a refusal that may pass is tried again, later and later, until it is closed", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { told, close, source } = connected(undefined);
  source.refuse();
  await settle();
  assert.equal(FakeSource.made.length, 1, "not at once");
  t.mock.timers.tick(500);
  assert.equal(FakeSource.made.length, 2);
  close();
  FakeSource.made[1].refuse();
  await settle();
  t.mock.timers.tick(60_000);
  assert.deepEqual([FakeSource.made.length, told], [2, []]);
});

test("what passes by itself is left to the browser", async () => {
  const { source } = connected(true);
  source.tell("parlor.closed", { code: "going-away", retry: 3000 });
  await settle();
  assert.deepEqual([FakeSource.made.length, source.readyState], [1, 1]);
});
