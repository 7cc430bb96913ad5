// Who gets which message: subscriptions and their ids, prefetch, and several consumers of a queue.

import { bodies, Connection } from "./connection.mjs";

const MANY = 90;

/** Sends the numbers from 1 on. */
async function numbers(sender, destination, count) {
  const sent = [];
  for (let number = 1; number <= count; number += 1) sent.push(sender.send(destination, String(number)));
  await Promise.all(sent);
}

const rises = (messages) => messages.every(({ body }, index) => index === 0 || Number(messages[index - 1].body) < Number(body));
const order = (messages) => (rises(messages) ? "in order" : "out of order");

/** A server may pass a consumer over whose connection is busy. */
const shares = (...all) => (all.every(({ length }) => length >= MANY / 3) ? "in similar shares" : all.map(({ length }) => length).join(" and "));

export const consumers = {
  async "a queue with two consumers: 90 messages"(queue) {
    const connections = await Promise.all([Connection.open(), Connection.open(), Connection.open()]);
    const [first, second, sender] = connections;
    await Promise.all([first.subscribe(queue), second.subscribe(queue)]);
    await numbers(sender, queue, MANY);
    const [mine, yours] = await Promise.all([first.messages(MANY / 3), second.messages(MANY / 3)]);
    const distinct = new Set([...mine, ...yours].map(({ body }) => body)).size;
    return `${distinct} distinct of ${mine.length + yours.length}, ${shares(mine, yours)}; ${order(mine)} and ${order(yours)}`;
  },

  async "a queue with two consumers of one connection: 90 messages"(queue) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(queue, { id: "left" });
    await consumer.subscribe(queue, { id: "right" });
    await numbers(sender, queue, MANY);
    const messages = await consumer.messages(MANY);
    const of = (id) => messages.filter(({ headers }) => headers.subscription === id);
    return `${messages.length}, ${shares(of("left"), of("right"))}; ${order(messages)}`;
  },

  async "a queue with one consumer: the order of 90 messages"(queue) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(queue);
    await numbers(sender, queue, MANY);
    const messages = await consumer.messages(MANY);
    return `${messages.length}, ${order(messages)}`;
  },

  async "a consumer that comes later"(queue) {
    const [first, second, sender] = [await Connection.open(), await Connection.open(), await Connection.open()];
    await first.subscribe(queue, { ack: "client" });
    await numbers(sender, queue, 3);
    const early = await first.messages(3);
    await second.subscribe(queue);
    return `${bodies(early)}; the later one ${bodies(await second.messages())}`;
  },

  async "a consumer with `prefetch-count:1` holds its message, and another is free"(queue) {
    const [slow, free, sender] = [await Connection.open(), await Connection.open(), await Connection.open()];
    await slow.subscribe(queue, { ack: "client", "prefetch-count": "1" });
    await free.subscribe(queue);
    await numbers(sender, queue, 10);
    const [held, taken] = await Promise.all([slow.messages(1), free.messages(9)]);
    return `${held.length} and ${taken.length}; ${order(taken)}`;
  },

  async "`prefetch-count:2` of five: given before and after an ACK"(queue) {
    const consumer = await Connection.open();
    await numbers(consumer, queue, 5);
    await consumer.subscribe(queue, { ack: "client-individual", "prefetch-count": "2" });
    const before = await consumer.messages(2);
    before[0].ack();
    return `${bodies(before)}; then ${bodies(await consumer.messages(1))}`;
  },

  async "`prefetch-count:4` of eight: given after a cumulative ACK of the third"(queue) {
    const consumer = await Connection.open();
    await numbers(consumer, queue, 8);
    await consumer.subscribe(queue, { ack: "client", "prefetch-count": "4" });
    const before = await consumer.messages(4);
    before[2].ack();
    return `${bodies(before)}; then ${bodies(await consumer.messages(3))}`;
  },

  async "client without `prefetch-count`: given of 300 without an ACK"(queue) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(queue, { ack: "client" });
    await numbers(sender, queue, 300);
    return `${(await consumer.messages(256)).length}`;
  },

  async "`prefetch-count` is not a number"(queue) {
    const consumer = await Connection.open();
    return consumer.outcome("SUBSCRIBE", { destination: queue, id: "x", ack: "client", "prefetch-count": "many" });
  },

  async "MESSAGE names the subscription it is for: two of one topic"(_, topic) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(topic, { id: "left" });
    await consumer.subscribe(topic, { id: "right" });
    await sender.send(topic, "a");
    const messages = await consumer.messages(2);
    return messages.map(({ body, headers }) => `${body} for ${headers.subscription}`).sort().join(", ");
  },

  async "a topic: what was sent before the subscription"(_, topic) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await sender.send(topic, "before");
    await consumer.subscribe(topic);
    await sender.send(topic, "after");
    return bodies(await consumer.messages(1));
  },

  async "after UNSUBSCRIBE: what goes on, and what waits in the queue"(queue, topic) {
    const [consumer, sender] = [await Connection.open(), await Connection.open()];
    await consumer.subscribe(queue, { id: "queue" });
    await consumer.subscribe(topic, { id: "topic" });
    await consumer.ask("UNSUBSCRIBE", { id: "queue" });
    await sender.send(queue, "to the queue");
    await sender.send(topic, "to the topic");
    const now = bodies(await consumer.messages(1));
    await consumer.subscribe(queue, { id: "again" });
    return `${now}; a new consumer: ${bodies(await consumer.messages(1))}`;
  },

  async "an id that was unsubscribed is used again"(_, topic) {
    const consumer = await Connection.open();
    await consumer.subscribe(`${topic}-old`, { id: "same" });
    await consumer.ask("UNSUBSCRIBE", { id: "same" });
    await consumer.subscribe(`${topic}-new`, { id: "same" });
    await consumer.send(`${topic}-old`, "old");
    await consumer.send(`${topic}-new`, "new");
    return bodies(await consumer.messages(1));
  },

  async "a message to its own sender"(_, topic) {
    const both = await Connection.open();
    await both.subscribe(topic);
    await both.send(topic, "mine");
    return bodies(await both.messages(1));
  },

  async "a destination of several segments"(queue) {
    const consumer = await Connection.open();
    return consumer.outcome("SUBSCRIBE", { destination: `${queue}/of/three`, id: "x" });
  },
};
