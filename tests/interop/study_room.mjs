// @stomp/stompjs, unmodified, as a client of the study room: STUDY_ROOM_URL, COOKIE and ROOM say where and as whom,
// INSTALLED where the client is.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { within } from "./within.mjs";

const installed = createRequire(`${process.env.INSTALLED}/`);
const { Client } = installed("@stomp/stompjs");
const { WebSocket } = installed("ws");
const url = process.env.STUDY_ROOM_URL;
const { COOKIE, ROOM } = process.env;

const connect = () => new Promise((resolve, reject) => {
  const client = new Client({
    webSocketFactory: () => new WebSocket(`${url.replace("http", "ws")}/ws`, ["v12.stomp"], { headers: { cookie: COOKIE, origin: url } }),
    reconnectDelay: 0,
  });
  client.onConnect = () => resolve(client);
  client.onWebSocketError = ({ message }) => reject(new Error(message));
  client.activate();
});

const client = await within(connect(), "CONNECTED");
const received = [];
let wake = () => {};
client.subscribe(`/topic/rooms/${ROOM}/chat`, ({ body }) => {
  const event = JSON.parse(body);
  // Who came and went, from the tenth second on.
  if (event.type === "system") return;
  received.push(event);
  wake();
});
const next = async () => {
  while (received.length === 0) await within(new Promise((resolve) => { wake = resolve; }), "event of the room");
  return received.shift();
};
assert.equal((await next()).type, "history");
const confirmed = new Promise((resolve) => client.watchForReceipt("said", resolve));
client.publish({ destination: `/app/rooms/${ROOM}/chat`, body: JSON.stringify({ text: "from stompjs", key: "stompjs-1" }), headers: { receipt: "said" } });
assert.equal((await next()).message.text, "from stompjs");
await within(confirmed, "RECEIPT");
await client.deactivate();
console.log("ok - stompjs enters, chats and leaves");
process.exit(0);
