// A hidden tab that beats too late: `BROKER_URL=… ORIGIN=… CHROMIUM=… INSTALLED=… node hidden-tab.mjs`.
//
// Browsers let the timers of a hidden page run once a second, and after some minutes once a minute. This page promises heart-beats by
// such a timer. The server pings before it closes, the browser answers by itself, and that counts as life (rule 26): the session goes
// on. With `PERIOD=10000 HIDDEN_SECONDS=420` and a broker with its own heart-beats it is what people do, and takes as long.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { publish } from "../interop/cut-streams.mjs";
import { step } from "./browser.mjs";
import { Window } from "./tabs.mjs";

const broker = new URL(process.env.BROKER_URL);
const origin = new URL(process.env.ORIGIN); // a free port that the broker takes for the page's
const PERIOD = Number(process.env.PERIOD ?? 330); // milliseconds between heart-beats; three of them are less than a second
const HIDDEN = 1_000 * Number(process.env.HIDDEN_SECONDS ?? 5);
const PING = Buffer.of(0x89, 0x00);
const PONG = Buffer.of(0x8a, 0x80);

const PAGE = `<!doctype html><meta charset="utf-8"><title>Hidden</title><script>
window.heard = [];
window.beats = [];
const open = (url) => {
  const socket = new WebSocket(url, "v12.stomp");
  socket.onopen = () => socket.send("CONNECT\\naccept-version:1.2\\nhost:a\\nheart-beat:${PERIOD},${PERIOD}\\n\\n\\0");
  socket.onclose = ({ code, reason }) => heard.push("closed " + code + " " + reason);
  socket.onmessage = ({ data }) => {
    if (data.startsWith("CONNECTED")) {
      socket.send("SUBSCRIBE\\nid:0\\ndestination:/topic/hidden\\nreceipt:0\\n\\n\\0");
      setInterval(() => { socket.send("\\n"); beats.push(performance.now()); }, ${PERIOD});
    }
    if (data.startsWith("RECEIPT")) heard.push("subscribed");
    if (data.startsWith("MESSAGE")) heard.push(data.slice(data.indexOf("\\n\\n") + 2, -1));
  };
};
</script>`;

/** A way to the broker that counts what browser and server ask of each other below STOMP. */
const counted = { pings: 0, pongs: 0 };
const between = createServer((near) => {
  const far = connect(broker.port, broker.hostname);
  near.pipe(far);
  far.pipe(near);
  // Each is written by itself, so that a piece of TCP begins with it.
  far.on("data", (octets) => (counted.pings += octets.subarray(0, 2).equals(PING)));
  near.on("data", (octets) => (counted.pongs += octets.subarray(0, 2).equals(PONG)));
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}).listen(0, "127.0.0.1");
const site = http.createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/html" });
  response.end(PAGE);
}).listen(origin.port, origin.hostname);
await Promise.all([once(between, "listening"), once(site, "listening")]);

const window = await Window.open();
const tab = await window.tab(origin.href);
await tab.evaluate(`open("ws://127.0.0.1:${between.address().port}/ws")`);
await tab.until("heard.length === 1");
assert.deepEqual(await tab.evaluate("heard"), ["subscribed"]);

await window.tab(new URL("/front", origin).href);
assert.equal(await tab.evaluate("document.visibilityState"), "hidden");
Object.assign(counted, { pings: 0, pongs: 0 });
await tab.evaluate("beats.length = 0");
await sleep(HIDDEN);
const beats = await tab.evaluate("beats");
const gaps = beats.slice(1).map((beat, index) => Math.round(beat - beats[index]));
console.log(`hidden for ${HIDDEN / 1_000} s: ${beats.length} beats, ${gaps} ms apart; ${counted.pings} pings, ${counted.pongs} pongs`);
assert.ok(Math.max(...gaps) > 3 * PERIOD, "the browser throttles");
assert.ok(counted.pings > 0 && counted.pongs > 0, "the server asks, and the browser answers");
await publish(broker, "/topic/hidden", "while it was hidden");
await tab.until("heard.length === 2");
assert.deepEqual(await tab.evaluate("heard"), ["subscribed", "while it was hidden"]);
step("a hidden tab whose beats are late stays connected, and hears what is said");

await window.close();
process.exit(0);
