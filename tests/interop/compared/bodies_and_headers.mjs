// What crosses the broker unharmed, and which headers a MESSAGE has.

import { Connection } from "./connection.mjs";

/** The MESSAGE that comes of a SEND, and what the client read of it. */
async function crossing(destination, body, headers = {}, options = {}) {
  const client = await Connection.open(options);
  await client.subscribe(destination);
  await client.send(destination, body, headers);
  return client.message();
}

/** The names of a frame's headers. */
const names = ({ headers }) => Object.keys(headers).sort().join(", ");

/** Headers by name, with their values where a broker does not make these up. */
const named = (headers, names) => names.map((name) => `${name} ${headers[name] ?? "(none)"}`).join(", ");

async function text(destination, body, options) {
  const message = await crossing(destination, body, { "content-type": "text/plain" }, options);
  return message.body === body ? "unharmed" : `${message.body.length} of ${body.length} units`;
}

async function binary(destination, octets, options) {
  const message = await crossing(destination, octets, { "content-type": "application/octet-stream" }, options);
  return Buffer.from(message.binaryBody).equals(Buffer.from(octets)) ? "unharmed" : `${message.binaryBody.length} of ${octets.length} octets`;
}

const octets = (length) => Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) % 256);

export const bodiesAndHeaders = {
  "a text of 60 KiB": (queue) => text(queue, "0123456789abcdef".repeat(60 * 64)),
  "a text of 60 KiB that the client splits": (queue) => text(queue, "0123456789abcdef".repeat(60 * 64), { splitLargeFrames: true }),
  "60 KiB of all octets": (queue) => binary(queue, octets(60 * 1024)),
  "60 KiB of all octets to a topic": (_, topic) => binary(topic, octets(60 * 1024)),
  "60 KiB of NUL": (queue) => binary(queue, new Uint8Array(60 * 1024)),
  "an empty body": (queue) => text(queue, ""),
  "a text beyond ASCII": (queue) => text(queue, "Grüße, 世界 😀\r\n\n"),

  async "a body of 64 KiB and one octet"(queue) {
    const client = await Connection.open();
    return client.outcome("SEND", { destination: queue, "content-length": 65_537 }, "x".repeat(65_537));
  },

  async "a header of one's own with a colon, a line end and a backslash"(queue) {
    // A backslash before a c would be undone by the client itself, which does not decode in one pass.
    const odd = "a:b\\ d\ne";
    const { headers } = await crossing(queue, "x", { odd });
    return headers.odd === odd ? "unharmed" : JSON.stringify(headers.odd);
  },

  async "a header with a carriage return"(queue) {
    const odd = "a\rb";
    const { headers } = await crossing(queue, "x", { odd });
    return headers.odd === odd ? "unharmed" : JSON.stringify(headers.odd);
  },

  async "a header beyond ASCII, in name and value"(queue) {
    const { headers } = await crossing(queue, "x", { grüße: "世界 😀" });
    return headers.grüße === "世界 😀" ? "unharmed" : JSON.stringify(headers.grüße);
  },

  async "a header with blanks around its value"(queue) {
    const { headers } = await crossing(queue, "x", { odd: "  a  " });
    return JSON.stringify(headers.odd);
  },

  async "a header without a value"(queue) {
    const { headers } = await crossing(queue, "x", { odd: "" });
    return JSON.stringify(headers.odd ?? null);
  },

  async "a header that is repeated"(queue) {
    const client = await Connection.open();
    await client.subscribe(queue);
    client.client.webSocket.send(`SEND\ndestination:${queue}\nodd:first\nodd:second\n\nx\0`);
    return (await client.message()).headers.odd;
  },

  async "headers that are common in messaging"(queue) {
    const sent = { "content-type": "application/json", "correlation-id": "7", "reply-to": "/queue/answers", priority: "5", persistent: "true", type: "greeting", "app-id": "demo" };
    const { headers } = await crossing(queue, "{}", sent);
    return named(headers, Object.keys(sent));
  },

  async "`expires` in SEND"(queue) {
    const { headers } = await crossing(queue, "x", { expires: "60000", expiration: "60000" });
    return named(headers, ["expires", "expiration"]);
  },

  async "`message-id` in a SEND"(queue) {
    const client = await Connection.open();
    return client.outcome("SEND", { destination: queue, "message-id": "forged" }, "x");
  },

  async "other headers of the server in a SEND"(queue) {
    const sent = { subscription: "forged", ack: "forged", redelivered: "true" };
    const { headers } = await crossing(queue, "x", sent);
    const forged = Object.keys(sent).filter((name) => headers[name] === sent[name]);
    return forged.length > 0 ? `in the MESSAGE: ${forged.join(", ")}` : "none is in the MESSAGE";
  },

  async "the headers of a MESSAGE, auto"(queue) {
    return names(await crossing(queue, "x", { "content-type": "text/plain" }));
  },

  async "the headers of a MESSAGE, client"(queue) {
    const client = await Connection.open();
    await client.subscribe(queue, { ack: "client" });
    await client.send(queue, "x", { "content-type": "text/plain" });
    return names(await client.message());
  },

  async "the headers of a MESSAGE, client in STOMP 1.1"(queue) {
    const client = await Connection.open({ version: "1.1" });
    await client.subscribe(queue, { ack: "client" });
    await client.send(queue, "x", { "content-type": "text/plain" });
    return names(await client.message());
  },

  async "the content-type and destination of a MESSAGE"(queue) {
    const { headers } = await crossing(queue, "x", { "content-type": "text/plain;charset=utf-8" });
    return `${headers["content-type"]}, ${headers.destination === queue ? "the one that was sent to" : headers.destination}`;
  },

  async "the headers of CONNECTED"() {
    const { connected } = await Connection.open();
    return names(connected);
  },
};
