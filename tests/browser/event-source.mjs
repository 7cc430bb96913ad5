// Chromium's `EventSource` over networks that break: `BROKER_URL=… SMALL_URL=… CHROMIUM=… INSTALLED=… node event-source.mjs`.
//
// Ten pages, each of an address of its own, are cut a thousand times, at any octet, while publishing goes on: the browser comes back
// by itself with its `Last-Event-ID`, and nothing is lost, doubled or malformed. A position that proves nothing is told so.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";

import { cutAThousandTimes, publish } from "../interop/cut-streams.mjs";
import { within } from "../interop/within.mjs";
import { launch, step } from "./browser.mjs";

const broker = new URL(process.env.BROKER_URL);
const small = new URL(process.env.SMALL_URL);
const WATCHER = readFileSync(new URL("../interop/watched-stream.mjs", import.meta.url), "utf8");
const PAGE = `<!doctype html><title>Events</title><script type="module">${WATCHER}
window.WatchedStream = WatchedStream;</script>`;

const browser = await launch();

/** A page of an address that has none; its streams go the way of all requests. */
async function pageAt(url) {
  const page = await browser.newPage();
  await page.route(`${url}/`, (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: PAGE }));
  await page.goto(`${url}/`);
  await page.unrouteAll();
  return page;
}

async function watched(url, path) {
  const page = await pageAt(url);
  await page.evaluate((place) => (window.stream = new WatchedStream(EventSource, place)), path);
  return { seen: () => page.evaluate(() => window.stream.seen), close: () => page.close() };
}

/**
 * What stands between a page and the small broker, and answers streams as `answer(request, response)` wants: by itself (then it
 * returns true) or not.
 */
async function between(answer) {
  const server = http.createServer((request, response) => {
    if (answer(request, response)) return;
    const { method, headers, url } = request;
    const far = http.request(new URL(url, small), { method, headers }, (answered) => {
      response.writeHead(answered.statusCode, answered.headers);
      answered.pipe(response);
    });
    far.on("error", () => response.destroy());
    response.on("close", () => far.destroy());
    request.pipe(far);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/**
 * Listens in a page until a message comes that is `live`; resolves with all that was heard since the stream began anew. Nothing is
 * published before the page says that it listens: it would come for nobody.
 */
async function heardAfterReturn(url, destination, { onOpen, onPosition }) {
  const page = await pageAt(url);
  await page.exposeFunction("began", onOpen);
  await page.exposeFunction("returned", () => publish(small, destination, "live"));
  await page.exposeFunction("placed", onPosition);
  const hearing = page.evaluate((place) => new Promise((resolve) => {
    const source = new EventSource(place);
    const said = [];
    let opened = 0;
    source.onopen = () => {
      opened += 1;
      if (opened === 1) window.began();
      if (opened === 2) window.returned();
    };
    source.onerror = () => source.readyState === EventSource.CLOSED && resolve("it gave up");
    source.addEventListener("parlor.recovered", ({ data }) => said.push(`parlor.recovered ${data}`));
    source.onmessage = ({ data, lastEventId }) => {
      if (opened === 1) return window.placed(lastEventId);
      said.push(`message ${data}`);
      if (data === "live") resolve(said);
    };
  }), `/events?destination=${destination}`);
  const heard = await within(hearing, `live message on ${destination}`);
  await page.close();
  return heard;
}

const GAP = ['parlor.recovered {"recovered":false}', "message live"];

async function anAncientPosition() {
  const destination = "/topic/ancient";
  let isDown = false;
  let stream;
  const network = await between((request, response) => {
    if (!request.url.startsWith("/events")) return false;
    if (isDown) response.destroy();
    else stream = response;
    return isDown;
  });
  const heard = await heardAfterReturn(network.url, destination, {
    onOpen: () => publish(small, destination, "first"),
    async onPosition() {
      isDown = true;
      stream.destroy();
      // The broker keeps five.
      for (let number = 0; number < 20; number += 1) await publish(small, destination, `${number}`);
      isDown = false;
    },
  });
  assert.deepEqual(heard, GAP);
  network.close();
  step("an ancient position gives the gap event, and nothing is replayed");
}

async function bogusPositions() {
  for (const bogus of ["bogus", "0", "a".repeat(1000)]) {
    const asked = [];
    const network = await between((request, response) => {
      if (!request.url.startsWith("/events")) return false;
      asked.push(request.headers["last-event-id"]);
      if (asked.length > 1) return false;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`retry: 10\nid: ${bogus}\ndata: from another server\n\n`);
      return true;
    });
    const heard = await heardAfterReturn(network.url, "/topic/bogus", { onOpen() {}, onPosition() {} });
    assert.deepEqual(asked, [undefined, bogus], "the browser has sent it");
    assert.deepEqual(heard, GAP, bogus);
    network.close();
  }
  step("a bogus position gives the gap event");
}

await anAncientPosition();
await bogusPositions();
step(await cutAThousandTimes(broker, "/topic/cut", watched));
await browser.close();
process.exit(0);
