// ACK and NACK in the three modes, and what is delivered again.

import { bodies, Connection } from "./connection.mjs";

/** Sends a, b, c, … to a queue. */
async function fill(queue, count = 3) {
  const sender = await Connection.open();
  for (const body of "abcdefghijkl".slice(0, count)) await sender.send(queue, body);
  await sender.disconnect();
}

/** What a new consumer of a queue gets: no fewer messages than `least`. */
async function rest(queue, least) {
  const later = await Connection.open();
  await later.subscribe(queue);
  return bodies(await later.messages(least));
}

/** A consumer of a queue of three that acknowledges, and what it was given. */
async function three(queue, { version = "1.2", ...headers }) {
  await fill(queue);
  const consumer = await Connection.open({ version });
  await consumer.subscribe(queue, headers);
  return { consumer, messages: await consumer.take(3) };
}

export const acknowledgement = {
  async "auto: three messages wait for a consumer, and are gone when it has them"(queue) {
    const { consumer, messages } = await three(queue, { ack: "auto" });
    await consumer.cut();
    return `${bodies(messages)}; then ${await rest(queue, 0)}`;
  },

  async "client: ACK of the second of three, then the connection is cut"(queue) {
    const { consumer, messages } = await three(queue, { ack: "client" });
    messages[1].ack();
    await consumer.ask("BEGIN", { transaction: "barrier" });
    await consumer.cut();
    return rest(queue, 1);
  },

  async "client-individual: ACK of the second of three, then the connection is cut"(queue) {
    const { consumer, messages } = await three(queue, { ack: "client-individual" });
    messages[1].ack();
    await consumer.ask("BEGIN", { transaction: "barrier" });
    await consumer.cut();
    return rest(queue, 2);
  },

  async "client-individual in STOMP 1.1: ACK by message-id and subscription"(queue) {
    const { consumer, messages } = await three(queue, { version: "1.1", ack: "client-individual" });
    messages[1].ack();
    await consumer.ask("BEGIN", { transaction: "barrier" });
    await consumer.cut();
    return rest(queue, 2);
  },

  async "client-individual in STOMP 1.1: NACK by message-id and subscription"(queue) {
    const { consumer, messages } = await three(queue, { version: "1.1", ack: "client-individual" });
    messages[1].nack();
    return bodies(await consumer.messages(1));
  },

  async "client in STOMP 1.0: ACK of the second of three"(queue) {
    const { consumer, messages } = await three(queue, { version: "1.0", ack: "client" });
    messages[1].ack();
    await consumer.ask("BEGIN", { transaction: "barrier" });
    await consumer.cut();
    return rest(queue, 1);
  },

  async "client: NACK of the second of three"(queue) {
    const { consumer, messages } = await three(queue, { ack: "client" });
    messages[1].nack();
    return bodies(await consumer.messages(2));
  },

  async "client-individual: NACK of the second of three"(queue) {
    const { consumer, messages } = await three(queue, { ack: "client-individual" });
    messages[1].nack();
    return bodies(await consumer.messages(1));
  },

  async "NACK of the first with one message in flight at a time: the order after it"(queue) {
    await fill(queue);
    const consumer = await Connection.open();
    await consumer.subscribe(queue, { ack: "client-individual", "prefetch-count": "1" });
    const seen = [await consumer.message()];
    seen[0].nack();
    while (seen.length < 4) {
      seen.push(await consumer.message());
      seen.at(-1).ack();
    }
    return bodies(seen);
  },

  async "NACK with `requeue:false`"(queue) {
    const { consumer, messages } = await three(queue, { ack: "client-individual" });
    messages[1].nack({ requeue: "false" });
    return bodies(await consumer.messages());
  },

  async "a message that is refused by NACK each time: how often it is given"(queue) {
    await fill(queue, 1);
    const consumer = await Connection.open();
    await consumer.subscribe(queue, { ack: "client-individual" });
    let count = 0;
    while (count < 12) {
      const message = await consumer.messageOrNone();
      if (!message) return `${count} times`;
      count += 1;
      message.nack();
    }
    return "12 times and more";
  },

  async "the id of a message that is delivered again"(queue) {
    await fill(queue, 1);
    const consumer = await Connection.open();
    await consumer.subscribe(queue, { ack: "client-individual" });
    const first = await consumer.message();
    first.nack();
    const again = await consumer.message();
    const same = (name) => (first.headers[name] === again.headers[name] ? "the same" : "another");
    return `${same("message-id")} message-id, ${same("ack")} ack`;
  },

  async "the connection is cut with all in flight: the order at the next consumer"(queue) {
    const { consumer } = await three(queue, { ack: "client" });
    await consumer.cut();
    return rest(queue, 3);
  },

  async "DISCONNECT with all in flight: the order at the next consumer"(queue) {
    const { consumer } = await three(queue, { ack: "client" });
    await consumer.disconnect();
    return rest(queue, 3);
  },

  async "the connection is cut with all in flight: what a consumer gets that waits already"(queue) {
    const { consumer } = await three(queue, { ack: "client" });
    const other = await Connection.open();
    await other.subscribe(queue);
    const before = bodies(await other.messages());
    await consumer.cut();
    return `${before}; after it ${bodies(await other.messages(3))}`;
  },

  async "UNSUBSCRIBE with all in flight: what another consumer gets"(queue) {
    const { consumer } = await three(queue, { id: "mine", ack: "client" });
    await consumer.ask("UNSUBSCRIBE", { id: "mine" });
    return rest(queue, 0);
  },

  async "ACK after UNSUBSCRIBE"(queue) {
    const { consumer, messages } = await three(queue, { id: "mine", ack: "client" });
    await consumer.ask("UNSUBSCRIBE", { id: "mine" });
    return consumer.outcome("ACK", { id: messages[2].headers.ack });
  },

  async "a topic: NACK by one of its two subscriptions"(queue, topic) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(topic, { id: "refuses", ack: "client-individual" });
    await sender.subscribe(topic);
    await sender.send(topic, "a");
    (await consumer.message()).nack();
    return `${bodies(await consumer.messages(1))}; the other has ${bodies(await sender.messages(1))}`;
  },
};
