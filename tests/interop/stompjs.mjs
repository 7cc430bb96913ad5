// @stomp/stompjs, unmodified, against a broker whose heart-beats are half a second:
// `BROKER_URL=ws://… INSTALLED=… node stompjs.mjs`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { within } from "./within.mjs";

const installed = createRequire(`${process.env.INSTALLED}/`);
const { Client, Versions } = installed("@stomp/stompjs");
const { WebSocket } = installed("ws");

Object.assign(globalThis, { WebSocket });

const url = process.env.BROKER_URL;
const CLIENTS = 200;

/** A connected client; `events.closed` resolves with the close event. */
async function connect(options = {}) {
  const client = new Client({ brokerURL: url, reconnectDelay: 0, heartbeatIncoming: 0, heartbeatOutgoing: 0, ...options });
  const events = {};
  events.closed = new Promise((resolve) => { client.onWebSocketClose = resolve; });
  events.error = new Promise((resolve) => { client.onStompError = resolve; });
  const connected = new Promise((resolve) => { client.onConnect = resolve; });
  client.activate();
  events.connected = await within(connected, "CONNECTED");
  return { client, events };
}

let receipts = 0;

/** Does something that takes headers with a receipt, and waits for it. */
function confirmed(client, action) {
  const receipt = `r-${++receipts}`;
  const done = new Promise((resolve) => client.watchForReceipt(receipt, resolve));
  action(receipt);
  return within(done, `RECEIPT ${receipt}`);
}

/** Subscribes, waits for the receipt, and collects messages; `next()` waits for one. */
async function subscribe(client, destination, headers = {}) {
  const messages = [];
  let wake = () => {};
  let subscription;
  await confirmed(client, (receipt) => {
    subscription = client.subscribe(destination, (message) => { messages.push(message); wake(); }, { ...headers, receipt });
  });
  const next = () => within((async () => {
    while (messages.length === 0) await new Promise((resolve) => { wake = resolve; });
    return messages.shift();
  })(), `MESSAGE on ${destination}`);
  return { subscription, messages, next };
}

const checks = {
  async "every version carries text, headers and receipts"() {
    for (const version of ["1.0", "1.1", "1.2"]) {
      const { client, events } = await connect({ stompVersions: new Versions([version]) });
      assert.equal(events.connected.headers.version, version);
      const destination = `/topic/text-${version}`;
      const { next, subscription } = await subscribe(client, destination);
      const body = `Grüße, 世界 😀 in ${version}\n`;
      await confirmed(client, (receipt) => client.publish({ destination, body, headers: { receipt, colour: "blue", "content-type": "text/plain" } }));
      const message = await next();
      assert.equal(message.body, body);
      assert.equal(message.headers.colour, "blue");
      assert.equal(message.headers["content-type"], "text/plain");
      assert.equal(message.headers.destination, destination);
      await confirmed(client, (receipt) => subscription.unsubscribe({ receipt }));
      await client.deactivate();
    }
  },

  async "headers with colons, line ends and backslashes cross unharmed"() {
    const { client } = await connect();
    const { next } = await subscribe(client, "/topic/escapes");
    // A backslash before a c would be undone by the client itself, which does not decode in one pass.
    const odd = "a:b\\ d\ne";
    client.publish({ destination: "/topic/escapes", body: "x", headers: { odd } });
    assert.equal((await next()).headers.odd, odd);
    await client.deactivate();
  },

  async "binary bodies hold every octet"() {
    const { client } = await connect();
    const { next } = await subscribe(client, "/topic/binary");
    const binaryBody = Uint8Array.from({ length: 256 }, (_, octet) => octet);
    client.publish({ destination: "/topic/binary", binaryBody });
    assert.deepEqual(new Uint8Array((await next()).binaryBody), binaryBody);
    await client.deactivate();
  },

  async "bodies of 60 KiB, whole and split by the client"() {
    for (const splitLargeFrames of [false, true]) {
      const { client } = await connect({ splitLargeFrames });
      const { next } = await subscribe(client, "/topic/large");
      const body = "0123456789abcdef".repeat(60 * 64);
      await confirmed(client, (receipt) => client.publish({ destination: "/topic/large", body, headers: { receipt } }));
      assert.equal((await next()).body, body);
      await client.deactivate();
    }
  },

  async "binary and large bodies have their receipts, over topics and queues"() {
    const { client } = await connect();
    for (const destination of ["/topic/bodies", "/queue/bodies"]) {
      const { next, subscription } = await subscribe(client, destination);
      for (const length of [0, 1, 256, 60 * 1024]) {
        const binaryBody = Uint8Array.from({ length }, (_, octet) => octet * 7);
        await confirmed(client, (receipt) => client.publish({ destination, binaryBody, headers: { receipt } }));
        assert.deepEqual(new Uint8Array((await next()).binaryBody), binaryBody);
      }
      await confirmed(client, (receipt) => subscription.unsubscribe({ receipt }));
    }
    await client.deactivate();
  },

  async "the ack modes settle what they say, and the rest comes again"() {
    const left = { auto: [], client: ["3"], "client-individual": ["0", "1", "3"] };
    for (const [ack, rest] of Object.entries(left)) {
      for (const version of ["1.1", "1.2"]) {
        const options = { stompVersions: new Versions([version]) };
        const { client } = await connect(options);
        const destination = `/queue/${ack}-${version}`;
        const { next } = await subscribe(client, destination, { ack });
        for (const body of ["0", "1", "2", "3"]) client.publish({ destination, body });
        const messages = [];
        for (let count = 0; count < 4; count += 1) messages.push(await next());
        if (ack !== "auto") await confirmed(client, (receipt) => messages[2].ack({ receipt }));
        await client.deactivate();
        const other = await connect(options);
        const again = await subscribe(other.client, destination);
        other.client.publish({ destination, body: "the end" });
        const seen = [];
        for (let message = await again.next(); message.body !== "the end"; message = await again.next()) {
          assert.equal(message.headers.redelivered, "true");
          assert.equal(message.headers["message-id"], messages[Number(message.body)].headers["message-id"]);
          seen.push(message.body);
        }
        assert.deepEqual(seen, rest, `${ack} in ${version}`);
        await other.client.deactivate();
      }
    }
  },

  async "a nacked message comes again"() {
    const { client } = await connect();
    const { next } = await subscribe(client, "/queue/nack", { ack: "client-individual" });
    client.publish({ destination: "/queue/nack", body: "once more" });
    const first = await next();
    await confirmed(client, (receipt) => first.nack({ receipt }));
    const second = await next();
    assert.equal(second.headers.redelivered, "true");
    assert.equal(second.headers["message-id"], first.headers["message-id"]);
    await confirmed(client, (receipt) => second.ack({ receipt }));
    await client.deactivate();
  },

  async "competing consumers share a queue"() {
    const consumers = await Promise.all([1, 2, 3].map(async () => {
      const { client } = await connect();
      return { client, ...(await subscribe(client, "/queue/shared", { "prefetch-count": "5" })) };
    }));
    const sender = await connect();
    for (let number = 0; number < 30; number += 1) {
      await confirmed(sender.client, (receipt) => sender.client.publish({ destination: "/queue/shared", body: `${number}`, headers: { receipt } }));
    }
    const seen = [];
    for (const consumer of consumers) {
      for (let count = 0; count < 10; count += 1) seen.push(Number((await consumer.next()).body));
    }
    assert.deepEqual(seen.sort((a, b) => a - b), [...Array(30).keys()]);
    await Promise.all([...consumers, sender].map(({ client }) => client.deactivate()));
  },

  async "transactions hold sends and acks until commit, and abort forgets them"() {
    const { client } = await connect();
    const topic = await subscribe(client, "/topic/transactions");
    const queue = await subscribe(client, "/queue/transactions", { ack: "client-individual" });
    const destination = "/topic/transactions";
    client.publish({ destination: "/queue/transactions", body: "job" });
    const job = await queue.next();
    const aborted = client.begin();
    client.publish({ destination, body: "never", headers: { transaction: aborted.id } });
    job.nack({ transaction: aborted.id });
    aborted.abort();
    const committed = client.begin();
    for (const body of ["1", "2"]) client.publish({ destination, body, headers: { transaction: committed.id } });
    job.ack({ transaction: committed.id });
    client.publish({ destination, body: "0" });
    assert.equal((await topic.next()).body, "0", "nothing before the COMMIT");
    committed.commit();
    assert.equal((await topic.next()).body, "1");
    assert.equal((await topic.next()).body, "2");
    await client.deactivate();
    const other = await connect();
    const rest = await subscribe(other.client, "/queue/transactions");
    other.client.publish({ destination: "/queue/transactions", body: "the end" });
    assert.equal((await rest.next()).body, "the end", "the job was acknowledged");
    await other.client.deactivate();
  },

  async "a second COMMIT and an unknown ACK are faults"() {
    for (const [code, wrong] of [
      ["unknown-transaction", (client) => client.commit("none")],
      ["unknown-ack", (client) => client.ack("none", "none")],
    ]) {
      const { client, events } = await connect();
      wrong(client);
      assert.equal((await within(events.error, "ERROR")).headers.code, code);
      await within(events.closed, "close");
    }
  },

  async "heart-beats go both ways"() {
    let beats = 0;
    const { client, events } = await connect({
      heartbeatIncoming: 500,
      heartbeatOutgoing: 500,
      // A busy machine may be late with one; they are counted below.
      heartbeatToleranceMultiplier: 6,
      debug: (line) => { if (line === "<<< PONG") beats += 1; },
    });
    assert.equal(events.connected.headers["heart-beat"], "500,500");
    const ended = Symbol("ended");
    const first = await Promise.race([events.closed.then(() => ended), new Promise((resolve) => setTimeout(resolve, 4000))]);
    assert.notEqual(first, ended, "the connection lives on heart-beats alone");
    assert.ok(beats >= 5, `${beats} beats of the server in 4 s`);
    await client.deactivate();
  },

  async "a user destination reaches its own session"() {
    const { client } = await connect();
    const other = await connect();
    const mine = await subscribe(client, "/user/queue/notes");
    const theirs = await subscribe(other.client, "/user/queue/notes");
    await confirmed(client, (receipt) => client.publish({ destination: "/user/queue/notes", body: "mine", headers: { receipt } }));
    const message = await mine.next();
    assert.equal(message.headers.destination, "/user/queue/notes");
    assert.equal(message.body, "mine");
    assert.equal(theirs.messages.length, 0);
    await Promise.all([client.deactivate(), other.client.deactivate()]);
  },

  async "DISCONNECT is answered and closes with 1000"() {
    const { client, events } = await connect();
    await client.deactivate();
    assert.equal((await within(events.closed, "close")).code, 1000);
  },

  async "a protocol fault draws ERROR with the receipt, and a close"() {
    const { client, events } = await connect();
    await subscribe(client, "/topic/a", { id: "same" });
    client.subscribe("/topic/b", () => {}, { id: "same", receipt: "second" });
    const error = await within(events.error, "ERROR");
    assert.equal(error.headers["receipt-id"], "second");
    assert.equal(error.headers.code, "duplicate-subscription");
    await within(events.closed, "close");
  },

  async "200 clients lose nothing and see each publisher in its order"() {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect()));
    const publishers = clients.slice(0, 5);
    const rounds = 40;
    const expected = publishers.length * rounds;
    const done = clients.map(async ({ client }) => {
      const last = new Map();
      let count = 0;
      let finish;
      const all = new Promise((resolve) => { finish = resolve; });
      await confirmed(client, (receipt) => client.subscribe("/topic/crowd", ({ body }) => {
        const [publisher, number] = body.split(" ").map(Number);
        assert.equal(number, (last.get(publisher) ?? -1) + 1, "the publisher's order");
        last.set(publisher, number);
        if (++count === expected) finish();
      }, { receipt }));
      return () => within(all, `${expected} messages, got ${count}`);
    });
    const waits = await Promise.all(done);
    await Promise.all(publishers.map(async ({ client }, publisher) => {
      for (let number = 0; number < rounds; number += 1) {
        await confirmed(client, (receipt) => client.publish({ destination: "/topic/crowd", body: `${publisher} ${number}`, headers: { receipt } }));
      }
    }));
    await Promise.all(waits.map((wait) => wait()));
    await Promise.all(clients.map(({ client }) => client.deactivate()));
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok - ${name}`);
}
process.exit(0);
