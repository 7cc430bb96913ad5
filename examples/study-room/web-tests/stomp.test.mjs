// The client over a socket that the test holds the other end of.

import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { load } from "./load.mjs";

const TOPIC = "/topic/rooms/algebra/chat";

/** The server's side of the newest connection. */
let server;

class FakeSocket {
  #frames = [];

  constructor() {
    server = this;
  }

  send(data) {
    this.#frames.push(...new FrameDecoder().push(data));
  }

  close() {}

  /** The frames of a command since it was last asked. */
  sent(command) {
    const found = this.#frames.filter((frame) => frame.command === command);
    this.#frames = this.#frames.filter((frame) => frame.command !== command);
    return found;
  }

  accept() {
    this.onopen();
    this.says("CONNECTED", { version: "1.2" });
    return this.sent("SUBSCRIBE").find(({ headers }) => headers.get("destination") === TOPIC).headers;
  }

  says(command, headers, body) {
    this.onmessage({ data: encodeFrame(command, headers, body) });
  }

  breaks() {
    this.onclose({ code: 1006, reason: "" });
  }
}

globalThis.WebSocket = FakeSocket;
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
globalThis.addEventListener = () => {};

const { encodeFrame, FrameDecoder } = await load("frames.js");
const { StompClient } = await load("stomp.js");

let client;
let heard;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  heard = [];
  client = new StompClient("wss://study.example/ws", async () => true);
  client.subscribe(TOPIC, ({ body }) => heard.push(body), () => heard.push("resumed"));
  client.open();
});

/** A message of the room. */
function message(body, headers = {}) {
  server.says("MESSAGE", { subscription: "sub-1", ...headers }, body);
}

/** Breaks the connection and accepts the next one; gives back what its SUBSCRIBE says. */
async function reconnect() {
  server.breaks();
  await turn();
  mock.timers.tick(20_000);
  return server.accept();
}

test("of a server without positions it asks nothing, before and after a loss", async () => {
  const [first, second] = [server.accept(), await reconnect()];
  for (const headers of [first, second]) assert.deepEqual([...headers.keys()], ["id", "destination", "receipt"]);
  message("history");
  message("history");
  assert.deepEqual(heard, ["history", "history"]);
});

test("it goes on behind the last message, and hears none twice", async () => {
  server.accept();
  message("one", { position: "p1" });
  message("two", { position: "p2" });
  const headers = await reconnect();
  assert.equal(headers.get("resume-from"), "p2");
  message("two", { position: "p2", recovered: "true" });
  message("three", { position: "p3" });
  server.says("RECEIPT", { "receipt-id": headers.get("receipt"), recovered: "true" });
  await turn();
  assert.deepEqual(heard, ["one", "two", "resumed", "three"]);
});

test("cut off before the first message, it goes on from where it began", async () => {
  const first = server.accept();
  server.says("RECEIPT", { "receipt-id": first.get("receipt"), position: "p0" });
  await turn();
  const headers = await reconnect();
  assert.equal(headers.get("resume-from"), "p0");
  server.says("RECEIPT", { "receipt-id": headers.get("receipt"), recovered: "true", position: "p0" });
  message("one", { position: "p1", recovered: "true" });
  await turn();
  assert.deepEqual(heard, ["resumed", "one"]);
  assert.equal((await reconnect()).get("resume-from"), "p1");
});

test("where nothing was said meanwhile, the RECEIPT tells that nothing was missed", async () => {
  server.accept();
  message("one", { position: "p1" });
  const headers = await reconnect();
  server.says("RECEIPT", { "receipt-id": headers.get("receipt"), recovered: "true" });
  await turn();
  assert.deepEqual(heard, ["one", "resumed"]);
});

for (const first of ["RECEIPT", "MESSAGE"]) {
  test(`where the server has lost the place, as its ${first} tells, the room begins anew`, async () => {
    server.accept();
    message("one", { position: "p1" });
    const headers = await reconnect();
    const receipt = () => server.says("RECEIPT", { "receipt-id": headers.get("receipt"), recovered: "false" });
    const behindTheHole = () => message("behind the hole", { recovered: "false", position: "q8" });
    for (const says of first === "RECEIPT" ? [receipt, behindTheHole] : [behindTheHole, receipt]) says();
    await turn();
    message("behind it too", { position: "q9" });
    assert.deepEqual(server.sent("UNSUBSCRIBE").map((frame) => frame.headers.get("id")), ["sub-1"]);
    const [again, ...more] = server.sent("SUBSCRIBE");
    const receiptOf = (frame) => ["receipt", frame.headers.get("receipt")];
    assert.deepEqual([...again.headers], [["id", "sub-2"], ["destination", TOPIC], receiptOf(again)]);
    assert.deepEqual(more, []);
    message("history", { subscription: "sub-2" });
    message("live", { subscription: "sub-2", position: "q10" });
    assert.deepEqual(heard, ["one", "history", "live"]);
    assert.equal((await reconnect()).get("resume-from"), "q10", "and it goes on from there");
  });
}

test("what comes for a subscription of before is not heard", async () => {
  server.accept();
  message("stray", { subscription: "sub-7" });
  assert.deepEqual(heard, []);
});

test("a refused resumption is told as a refused subscription is", async () => {
  const refused = [];
  client.addEventListener("refused", ({ detail }) => refused.push(detail.code));
  server.accept();
  message("one", { position: "p1" });
  const headers = await reconnect();
  server.says("MESSAGE", { subscription: "sub-0", "receipt-id": headers.get("receipt"), code: "room-not-found" }, "{}");
  await turn();
  assert.deepEqual(refused, ["room-not-found"]);
});

test("what is sent carries its key, and with the connection its receipt is given up", async () => {
  server.accept();
  const first = client.send("/app/rooms/algebra/chat", { text: "hello" }, "k1");
  const [frame] = server.sent("SEND");
  assert.equal(frame.headers.get("message-key"), "k1");
  server.says("RECEIPT", { "receipt-id": frame.headers.get("receipt") });
  await first;
  const second = client.send("/app/rooms/algebra/chat", { text: "hello" }, "k2");
  server.breaks();
  await assert.rejects(second, { code: "offline" });
  await assert.rejects(client.send("/app/rooms/algebra/chat", {}, "k3"), { code: "offline" });
});

test("what begins anew does so under a new id, and nobody listens to the old one", async () => {
  const taken = [];
  const again = client.subscribe("/topic/rooms/algebra/presence", ({ body }) => taken.push(body));
  server.accept();
  server.sent("SUBSCRIBE");
  server.says("MESSAGE", { subscription: "sub-2" }, "snapshot");
  again();
  assert.equal(server.sent("UNSUBSCRIBE")[0].headers.get("id"), "sub-2");
  assert.equal(server.sent("SUBSCRIBE")[0].headers.get("id"), "sub-3");
  server.says("MESSAGE", { subscription: "sub-2" }, "behind the gap");
  server.says("MESSAGE", { subscription: "sub-3" }, "snapshot");
  assert.deepEqual(taken, ["snapshot", "snapshot"]);
});
