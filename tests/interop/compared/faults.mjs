// What a client may not do, and what it is told.

import { WebSocket } from "ws";
import { Connection } from "./connection.mjs";

/** A consumer that has one message in flight. */
async function holding(queue, ack = "client-individual") {
  const client = await Connection.open();
  await client.subscribe(queue, { id: "mine", ack });
  await client.send(queue, "a");
  return { client, ack: (await client.message()).headers.ack };
}

/** What comes of a frame on a new connection. */
const fault = (command, headers, body) => async () => (await Connection.open()).outcome(command, headers, body);

export const faults = {
  "ACK of an id that was never given": fault("ACK", { id: "nothing" }),
  "NACK of an id that was never given": fault("NACK", { id: "nothing" }),
  "ACK without an id": fault("ACK", {}),
  "BEGIN without a name": fault("BEGIN", {}),
  "COMMIT of an unknown transaction": fault("COMMIT", { transaction: "nothing" }),
  "ABORT of an unknown transaction": fault("ABORT", { transaction: "nothing" }),
  "SEND without a destination": fault("SEND", {}, "x"),
  "SUBSCRIBE without a destination": fault("SUBSCRIBE", { id: "x" }),
  "SUBSCRIBE without an id": fault("SUBSCRIBE", { destination: "/queue/without-id" }),
  "SUBSCRIBE with an unknown ack mode": fault("SUBSCRIBE", { destination: "/queue/unknown-mode", id: "x", ack: "perhaps" }),
  "SEND to a destination of no known kind": fault("SEND", { destination: "/nowhere/at-all" }, "x"),
  "SUBSCRIBE to a destination of no known kind": fault("SUBSCRIBE", { destination: "/nowhere/at-all", id: "x" }),
  "UNSUBSCRIBE of an unknown id": fault("UNSUBSCRIBE", { id: "nothing" }),
  "a command that there is not": fault("SHOUT", {}),
  "a header with an undefined escape": fault("SEND", { destination: "/queue/undefined-escape", odd: "a\\tb" }, "x"),

  async "ACK twice"(queue) {
    const { client, ack } = await holding(queue);
    await client.ask("ACK", { id: ack });
    return client.outcome("ACK", { id: ack });
  },

  async "NACK after ACK"(queue) {
    const { client, ack } = await holding(queue);
    await client.ask("ACK", { id: ack });
    return client.outcome("NACK", { id: ack });
  },

  async "ACK of a message of an auto subscription"(queue) {
    const client = await Connection.open();
    await client.subscribe(queue, { id: "mine" });
    await client.send(queue, "a");
    const { headers } = await client.message();
    return client.outcome("ACK", { id: headers.ack ?? headers["message-id"] });
  },

  async "ACK of another connection's message"(queue) {
    const { ack } = await holding(queue);
    const other = await Connection.open();
    return other.outcome("ACK", { id: ack });
  },

  async "BEGIN twice"() {
    const client = await Connection.open();
    await client.ask("BEGIN", { transaction: "same" });
    return client.outcome("BEGIN", { transaction: "same" });
  },

  async "COMMIT twice"() {
    const client = await Connection.open();
    await client.ask("BEGIN", { transaction: "same" });
    await client.ask("COMMIT", { transaction: "same" });
    return client.outcome("COMMIT", { transaction: "same" });
  },

  async "SEND in an unknown transaction"(queue) {
    const client = await Connection.open();
    return client.outcome("SEND", { destination: queue, transaction: "nothing" }, "x");
  },

  async "ACK in an unknown transaction"(queue) {
    const { client, ack } = await holding(queue);
    return client.outcome("ACK", { id: ack, transaction: "nothing" });
  },

  async "a subscription id that is in use"(queue) {
    const client = await Connection.open();
    await client.subscribe(queue, { id: "same" });
    return client.outcome("SUBSCRIBE", { destination: `${queue}-other`, id: "same" });
  },

  async "the connection after an ERROR"() {
    const client = await Connection.open();
    await client.ask("COMMIT", { transaction: "nothing" });
    return (await client.lives()) ? "goes on" : "is closed";
  },

  async "the receipt that an ERROR names"() {
    const client = await Connection.open();
    client.raw("COMMIT", { transaction: "nothing", receipt: "mine" });
    const { error } = await client.first((event) => event.error);
    return error.headers["receipt-id"] ?? "none";
  },

  async "CONNECT with a version that there is not"() {
    const webSocketFactory = () => new WebSocket(process.env.BROKER_URL, ["v12.stomp"]);
    const client = await Connection.open({ version: "9.9", webSocketFactory });
    return client.connected ? "CONNECTED" : client.answer();
  },
};
