// npm's `eventsource` over a network that breaks: `BROKER_URL=… SMALL_URL=… node eventsource.mjs`.
//
// Its connections are cut a thousand times, at any octet, while publishing goes on; it comes back by itself with its
// `Last-Event-ID`. Nothing is lost, nothing comes twice, nothing is malformed. A position that proves nothing is told so.

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { EventSource } from "eventsource";

const KILLS = 1000;
const CLIENTS = 10;
const broker = new URL(process.env.BROKER_URL);
const small = new URL(process.env.SMALL_URL);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function step(text) {
  console.log(`ok: ${text}`);
}

/** Publishes a value and waits for the answer. */
function publish(server, destination, data) {
  const body = JSON.stringify({ data });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const url = new URL(`/publish?destination=${destination}`, server);
    const request = http.request(url, { method: "POST", headers, agent }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** A generator of numbers that is the same each time (Numerical Recipes' constants). */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A network that cuts each connection after some octets of the server's, while it may. */
async function flakyNetwork(random) {
  const network = { kills: 0, cuts: false };
  const server = net.createServer((near) => {
    const far = net.connect(broker.port, broker.hostname);
    let left = 100 + random(2000);
    near.pipe(far);
    far.on("data", (octets) => {
      if (network.cuts && octets.length >= left) {
        network.kills += 1;
        near.write(octets.subarray(0, left));
        // Without a word of HTTP, as a cable that is pulled.
        near.destroySoon();
        far.destroy();
        return;
      }
      if (network.cuts) left -= octets.length;
      if (!near.write(octets)) {
        far.pause();
        near.once("drain", () => far.resume());
      }
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  network.url = `http://127.0.0.1:${server.address().port}`;
  network.close = () => server.close();
  return network;
}

async function cutAThousandTimes() {
  const destination = "/topic/cut";
  const networks = [];
  const clients = [];
  const failures = [];
  let last = -1;
  for (let number = 0; number < CLIENTS; number += 1) {
    const network = await flakyNetwork(numbers(number + 1));
    const source = new EventSource(`${network.url}/events?destination=${destination}`);
    const client = { expected: 0, opened: 0, recovered: 0, told: true, source };
    source.onopen = () => {
      client.opened += 1;
      // The first time there is nothing to recover.
      client.told = client.opened === 1;
    };
    source.onmessage = ({ data, lastEventId }) => {
      const [place, filler] = JSON.parse(data);
      if (!client.told) failures.push(`client ${number}: ${place} came before it was told whether anything is missing`);
      if (place !== client.expected) failures.push(`client ${number}: ${place} came for ${client.expected}`);
      if (filler !== "ü".repeat(place % 50) || lastEventId === "") failures.push(`client ${number}: malformed: ${data}`);
      client.expected = place + 1;
    };
    source.addEventListener("parlor.recovered", ({ data }) => {
      client.recovered += 1;
      client.told = true;
      if (data !== '{"recovered":true}') failures.push(`client ${number}: ${data}`);
    });
    source.addEventListener("parlor.closed", ({ data }) => failures.push(`client ${number}: ${data}`));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) failures.push(`client ${number} gave up`);
    };
    networks.push(network);
    clients.push(client);
  }
  const until = async (what, done) => {
    const end = Date.now() + 60_000;
    while (!done()) {
      assert.deepEqual(failures, []);
      assert.ok(Date.now() < end, `${what} takes too long`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await until("opening", () => clients.every(({ opened }) => opened === 1));
  const say = () => {
    last += 1;
    return publish(broker, destination, [last, "ü".repeat(last % 50)]);
  };
  await say();
  await until("the first message", () => clients.every(({ expected }) => expected === 1));
  for (const network of networks) network.cuts = true;
  const kills = () => networks.reduce((sum, network) => sum + network.kills, 0);
  const begin = Date.now();
  while (kills() < KILLS) {
    await say();
    assert.ok(Date.now() - begin < 300_000, `${kills()} kills take too long`);
  }
  for (const network of networks) network.cuts = false;
  await say();
  await until("the rest", () => clients.every(({ expected }) => expected === last + 1));
  assert.deepEqual(failures, []);
  // Others were cut again before they were told.
  const recovered = clients.reduce((sum, client) => sum + client.recovered, 0);
  assert.ok(recovered >= KILLS / 2, `${recovered} of ${kills()} were told that nothing is missing`);
  for (const { source } of clients) source.close();
  for (const network of networks) network.close();
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  step(`${kills()} kills of ${CLIENTS} clients, ${last + 1} messages each, ${recovered} times told that nothing is missing, in ${seconds} s: 0 lost, 0 duplicated, 0 malformed`);
}

/** The first event of each name that a client hears who says that it was at `position`. */
async function resumed(server, destination, position) {
  const source = new EventSource(new URL(`/events?destination=${destination}`, server), {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, "Last-Event-ID": position } }),
  });
  const heard = [];
  try {
    return await new Promise((resolve, reject) => {
      const hear = ({ type, data }) => {
        heard.push(`${type} ${data}`);
        if (type === "message") resolve(heard);
      };
      source.addEventListener("parlor.recovered", hear);
      source.onmessage = hear;
      source.onerror = ({ message }) => reject(new Error(message));
      source.onopen = () => publish(server, destination, "live").catch(reject);
    });
  } finally {
    source.close();
  }
}

async function positionsThatProveNothing() {
  const destination = "/topic/ancient";
  const source = new EventSource(new URL(`/events?destination=${destination}`, small));
  const position = await new Promise((resolve, reject) => {
    source.onopen = () => publish(small, destination, "first").catch(reject);
    source.onmessage = ({ lastEventId }) => resolve(lastEventId);
    source.onerror = ({ message }) => reject(new Error(message));
  });
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
await cutAThousandTimes();
process.exit(0);
