// npm's `eventsource` over a network that breaks: `BROKER_URL=… SMALL_URL=… INSTALLED=… node eventsource.mjs`.
//
// Its connections are cut a thousand times, at any octet, while publishing goes on; it comes back by itself with its
// `Last-Event-ID`. Nothing is lost, nothing comes twice, nothing is malformed. A position that proves nothing is told so.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { cutAThousandTimes, publish } from "./cut-streams.mjs";
import { WatchedStream } from "./watched-stream.mjs";
import { within } from "./within.mjs";

const { EventSource } = createRequire(`${process.env.INSTALLED}/`)("eventsource");
const broker = new URL(process.env.BROKER_URL);
const small = new URL(process.env.SMALL_URL);

function step(text) {
  console.log(`ok: ${text}`);
}

/** The first event of each name that a client hears who says that it was at `position`. */
async function resumed(server, destination, position) {
  const source = new EventSource(new URL(`/events?destination=${destination}`, server), {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, "Last-Event-ID": position } }),
  });
  const heard = [];
  try {
    return await within(new Promise((resolve, reject) => {
      const hear = ({ type, data }) => {
        heard.push(`${type} ${data}`);
        if (type === "message") resolve(heard);
      };
      source.addEventListener("parlor.recovered", hear);
      source.onmessage = hear;
      source.onerror = ({ message }) => reject(new Error(message));
      source.onopen = () => publish(server, destination, "live").catch(reject);
    }), `live message on ${destination}`);
  } finally {
    source.close();
  }
}

async function positionsThatProveNothing() {
  const destination = "/topic/ancient";
  const source = new EventSource(new URL(`/events?destination=${destination}`, small));
  const position = await within(new Promise((resolve, reject) => {
    source.onopen = () => publish(small, destination, "first").catch(reject);
    source.onmessage = ({ lastEventId }) => resolve(lastEventId);
    source.onerror = ({ message }) => reject(new Error(message));
  }), `first message on ${destination}`);
  source.close();
  assert.deepEqual(await resumed(small, destination, position), ['parlor.recovered {"recovered":true}', "message live"]);
  // It keeps five.
  for (let number = 0; number < 20; number += 1) await publish(small, destination, `${number}`);
  const gap = ['parlor.recovered {"recovered":false}', "message live"];
  assert.deepEqual(await resumed(small, destination, position), gap);
  step("an ancient position gives the gap event, and nothing is replayed");
  for (const bogus of ["bogus", "0", `${position}x`, position.slice(1), "a".repeat(1000)]) {
    assert.deepEqual(await resumed(small, destination, bogus), gap, bogus);
  }
  assert.deepEqual(await resumed(small, "/topic/another", position), gap, "a position is one destination's");
  step("a bogus position gives the gap event");
}

await positionsThatProveNothing();
step(await cutAThousandTimes(broker, "/topic/cut", async (network, path) => {
  const stream = new WatchedStream(EventSource, network + path);
  return { seen: () => stream.seen, close: () => stream.close() };
}));
process.exit(0);
