// The end of the login: what is said when, and that a page with an expired cookie asks once and no more.

import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { load } from "./load.mjs";

const MINUTE = 60_000;

/** Every connection that was tried. */
let sockets;
/** Whether the server refuses the handshake; a page sees no more of that than a connection that closes at once. */
let refuses;
/** What the page listens to. */
let listeners;

globalThis.WebSocket = class {
  constructor() {
    sockets.push(this);
    if (refuses) queueMicrotask(() => this.onclose({ code: 1006, reason: "" }));
  }
  send() {}
  close() {}
};
globalThis.Worker = class {
  postMessage() {}
};
globalThis.CustomEvent ??= class extends Event {
  constructor(name, { detail }) {
    super(name);
    this.detail = detail;
  }
};
globalThis.location = { host: "study.example" };
globalThis.document = { hidden: false };
globalThis.addEventListener = (name, listener) => listeners.push(listener);

const { LoginClock } = await load("expiry.js");
const { StompClient } = await load("stomp.js");

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  sockets = [];
  refuses = false;
  listeners = [];
});

/** A day passes, and whoever sits there looks at the page and switches the network off and on again. */
async function aDay() {
  for (let minutes = 0; minutes < 24 * 60; minutes += 10) {
    mock.timers.tick(10 * MINUTE);
    listeners.forEach((listener) => listener());
    await turn();
  }
}

test("a minute ahead it says so, and again when it is less", () => {
  const said = [];
  let ends = 0;
  const clock = new LoginClock({ show: (text) => said.push(text), onEnd: () => ends++ });
  clock.endsIn(5 * MINUTE);
  mock.timers.tick(4 * MINUTE - 1);
  assert.deepEqual(said.filter(Boolean), []);
  mock.timers.tick(1);
  assert.equal(said.at(-1), "Your session ends in 1 minute");
  mock.timers.tick(MINUTE / 2);
  assert.equal(said.at(-1), "Your session ends in less than a minute");
  assert.equal(ends, 0);
  mock.timers.tick(MINUTE / 2);
  assert.deepEqual([said.at(-1), ends], ["", 1]);
  mock.timers.tick(100 * MINUTE);
  clock.look();
  assert.equal(ends, 1, "once");
});

test("a login that is renewed ends later, and is told of again", () => {
  let said = "";
  let ends = 0;
  const clock = new LoginClock({ show: (text) => (said = text), onEnd: () => ends++ });
  clock.endsIn(MINUTE);
  assert.equal(said, "Your session ends in 1 minute");
  clock.endsIn(10 * MINUTE);
  assert.equal(said, "");
  mock.timers.tick(9 * MINUTE);
  assert.deepEqual([said, ends], ["Your session ends in 1 minute", 0]);
});

test("a machine that slept over the end is told when it wakes", () => {
  let now = 0;
  let ends = 0;
  const clock = new LoginClock({ show: () => {}, onEnd: () => ends++, now: () => now });
  clock.endsIn(MINUTE);
  now = 60 * MINUTE;
  clock.look();
  assert.equal(ends, 1);
});

test("rule 24: after the end of its token a page does not come back by itself", async () => {
  const client = new StompClient("wss://study.example/ws", async () => true);
  client.open();
  sockets[0].onopen();
  sockets[0].onclose({ code: 4401, reason: "token-expired" });
  await aDay();
  assert.deepEqual([client.state, sockets.length], ["ended", 1]);
});

test("rule 24: a page with an expired cookie tries once and asks once: no reconnect storm", async () => {
  let asked = 0;
  const client = new StompClient("wss://study.example/ws", async () => {
    asked++;
    return false;
  });
  refuses = true;
  client.open();
  await turn();
  await aDay();
  assert.deepEqual([client.state, client.reason, sockets.length, asked], ["ended", "logged-out", 1, 1]);
});

test("rule 24: a cookie that expires while a page is cut off ends its attempts", async () => {
  let isLoggedIn = true;
  const client = new StompClient("wss://study.example/ws", async () => isLoggedIn);
  client.open();
  sockets[0].onopen();
  sockets[0].onclose({ code: 1006, reason: "" });
  await turn();
  isLoggedIn = false;
  refuses = true;
  await aDay();
  assert.deepEqual([client.state, sockets.length], ["ended", 2]);
});
