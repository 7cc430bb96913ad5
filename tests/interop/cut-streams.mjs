// Event streams over networks that break: cut a thousand times, at any octet, while publishing goes on. For the scripts beside this
// file and for browsers.

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";

const CUTS = 1000;
const STREAMS = 10;
const PATIENCE = 60_000; // milliseconds for anything that all streams do
const LONGEST = 200_000; // milliseconds for all cuts
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** Publishes a value and waits for the answer. */
export function publish(server, destination, data) {
  const body = JSON.stringify({ data });
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const url = new URL(`/publish?destination=${destination}`, server);
    const request = http.request(url, { method: "POST", headers, agent }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`))));
    });
    request.on("error", reject);
    request.setTimeout(PATIENCE, () => request.destroy(new Error("no answer to what was published")));
    request.end(body);
  });
}

/** What `WatchedStream` expects at a place: of several lengths, and its octets are not its characters. */
const bodyOf = (place) => [place, "ü".repeat(place % 50)];

/** A generator of numbers that is the same each time (Numerical Recipes' constants). */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A network of its own address, so that a browser counts its connections by themselves. */
class CuttingNetwork {
  cuts = 0;
  isCutting = false;
  url;
  #server;
  #random;

  constructor(to, seed) {
    this.#random = numbers(seed);
    this.#server = net.createServer((near) => this.#pass(near, net.connect(to.port, to.hostname)));
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  close() {
    this.#server.close();
  }

  /** Cuts the connection after some octets of the server's, while it may. */
  #pass(near, far) {
    let left = 100 + this.#random(2000);
    near.pipe(far);
    far.on("data", (octets) => {
      if (this.isCutting && octets.length >= left) {
        this.cuts += 1;
        near.write(octets.subarray(0, left));
        // Without a word of HTTP, as a cable that is pulled.
        near.destroySoon();
        far.destroy();
        return;
      }
      if (this.isCutting) left -= octets.length;
      if (!near.write(octets)) {
        far.pause();
        near.once("drain", () => far.resume());
      }
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  }
}

/**
 * Cuts streams of one destination a thousand times in all. `open(network, path)` resolves with a client that listens there, by a
 * `WatchedStream`: `seen()` resolves with what that has seen, `close()` ends it. Resolves with a sentence about it.
 */
export async function cutAThousandTimes(broker, destination, open) {
  const places = Array.from({ length: STREAMS }, (_, index) => new CuttingNetwork(broker, index + 1).listen());
  const networks = await Promise.all(places);
  const clients = await Promise.all(networks.map(({ url }) => open(url, `/events?destination=${destination}`)));
  let last = -1;
  const say = () => {
    last += 1;
    return publish(broker, destination, bodyOf(last));
  };
  const cuts = () => networks.reduce((sum, network) => sum + network.cuts, 0);
  /** What all have seen, nothing of it wrong. */
  const look = async () => {
    const seen = await Promise.all(clients.map((client) => client.seen()));
    assert.deepEqual(seen.flatMap(({ failures }, index) => failures.map((failure) => `stream ${index}: ${failure}`)), []);
    return seen;
  };
  const until = async (what, isDone) => {
    const end = Date.now() + PATIENCE;
    while (!(await look()).every(isDone)) {
      assert.ok(Date.now() < end, `${what} takes too long`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  await until("opening", ({ opened }) => opened === 1);
  await say();
  await until("the first message", ({ expected }) => expected === 1);
  for (const network of networks) network.isCutting = true;
  const begin = Date.now();
  while (cuts() < CUTS) {
    await say();
    assert.ok(Date.now() - begin < LONGEST, `${cuts()} cuts take too long`);
  }
  for (const network of networks) network.isCutting = false;
  await say();
  await until("the rest", ({ expected }) => expected === last + 1);
  // Others were cut again before they were told.
  const recovered = (await look()).reduce((sum, seen) => sum + seen.recovered, 0);
  assert.ok(recovered >= CUTS / 2, `${recovered} of ${cuts()} were told that nothing is missing`);
  const fewest = Math.min(...networks.map((network) => network.cuts));
  assert.ok(fewest >= CUTS / STREAMS / 2, `each is cut often, and one only ${fewest} times`);
  for (const client of clients) await client.close();
  for (const network of networks) network.close();
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  return `${cuts()} cuts of ${STREAMS} streams, ${fewest} of each at least, ${last + 1} messages each, ${recovered} times told that ` +
    `nothing is missing, in ${seconds} s: 0 lost, 0 duplicated, 0 malformed`;
}
