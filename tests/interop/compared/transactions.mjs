// BEGIN, COMMIT and ABORT over SEND, ACK and NACK.

import { bodies, Connection } from "./connection.mjs";

/** A subscriber and a sender of one destination. */
async function pair(destination, headers = {}) {
  const [consumer, sender] = [await Connection.open(), await Connection.open()];
  await consumer.subscribe(destination, headers);
  return { consumer, sender };
}

/** A consumer that has a and b in flight and has opened a transaction. */
async function holding(queue, ack = "client-individual") {
  const { consumer, sender } = await pair(queue, { ack });
  await sender.send(queue, "a");
  await sender.send(queue, "b");
  const messages = await consumer.take(2);
  return { consumer, messages, transaction: consumer.client.begin() };
}

/** What a consumer of this queue gets when the one that holds its messages is gone: no fewer than `least`. */
async function left(consumer, queue, least) {
  await consumer.ask("BEGIN", { transaction: "barrier" });
  await consumer.cut();
  const later = await Connection.open();
  await later.subscribe(queue);
  return bodies(await later.messages(least));
}

const publish = (connection, destination, body, transaction) => connection.client.publish({ destination, body, headers: { transaction } });

export const transactions = {
  async "SEND: before and after COMMIT"(queue) {
    const { consumer, sender } = await pair(queue);
    const transaction = sender.client.begin();
    for (const body of ["a", "b", "c"]) publish(sender, queue, body, transaction.id);
    const before = bodies(await consumer.messages());
    transaction.commit();
    return `${before}; ${bodies(await consumer.messages(3))}`;
  },

  async "SEND: after ABORT"(queue) {
    const { consumer, sender } = await pair(queue);
    const transaction = sender.client.begin();
    publish(sender, queue, "a", transaction.id);
    transaction.abort();
    await sender.send(queue, "outside");
    return bodies(await consumer.messages(1));
  },

  async "SEND: the connection is cut before COMMIT"(queue) {
    const { consumer, sender } = await pair(queue);
    const transaction = sender.client.begin();
    publish(sender, queue, "a", transaction.id);
    await sender.send(queue, "outside");
    await sender.cut();
    return bodies(await consumer.messages(1));
  },

  async "SEND to a topic: before and after COMMIT"(_, topic) {
    const { consumer, sender } = await pair(topic);
    const transaction = sender.client.begin();
    publish(sender, topic, "a", transaction.id);
    await sender.send(topic, "outside");
    const before = bodies(await consumer.messages(1));
    transaction.commit();
    return `${before}; ${bodies(await consumer.messages(1))}`;
  },

  async "two transactions at a time, the second committed first"(queue) {
    const { consumer, sender } = await pair(queue);
    const [one, two] = [sender.client.begin("one"), sender.client.begin("two")];
    publish(sender, queue, "1a", one.id);
    publish(sender, queue, "2a", two.id);
    publish(sender, queue, "1b", one.id);
    two.commit();
    one.commit();
    return bodies(await consumer.messages(3));
  },

  async "the name of a transaction is used again after COMMIT"(queue) {
    const { consumer, sender } = await pair(queue);
    for (const body of ["a", "b"]) {
      const transaction = sender.client.begin("same");
      publish(sender, queue, body, transaction.id);
      transaction.commit();
    }
    return bodies(await consumer.messages(2));
  },

  async "ACK: COMMIT, then the connection is cut"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].ack({ transaction: transaction.id });
    transaction.commit();
    return left(consumer, queue, 1);
  },

  async "ACK: the connection is cut before COMMIT"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].ack({ transaction: transaction.id });
    return left(consumer, queue, 2);
  },

  async "ACK: ABORT, then the connection is cut"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].ack({ transaction: transaction.id });
    transaction.abort();
    return left(consumer, queue, 2);
  },

  async "ACK: ABORT, then ACK without a transaction"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].ack({ transaction: transaction.id });
    transaction.abort();
    messages[0].ack();
    return left(consumer, queue, 1);
  },

  async "client: cumulative ACK of both in a transaction, COMMIT"(queue) {
    const { consumer, messages, transaction } = await holding(queue, "client");
    messages[1].ack({ transaction: transaction.id });
    transaction.commit();
    return left(consumer, queue, 0);
  },

  async "NACK: before and after COMMIT"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].nack({ transaction: transaction.id });
    const before = bodies(await consumer.messages());
    transaction.commit();
    return `${before}; ${bodies(await consumer.messages(1))}`;
  },

  async "NACK: ABORT"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].nack({ transaction: transaction.id });
    transaction.abort();
    return bodies(await consumer.messages());
  },

  async "ACK of one and SEND of the next in one transaction, COMMIT"(queue) {
    const { consumer, messages, transaction } = await holding(queue);
    messages[0].ack({ transaction: transaction.id });
    publish(consumer, `${queue}-answers`, "answer", transaction.id);
    transaction.commit();
    const reader = await Connection.open();
    await reader.subscribe(`${queue}-answers`);
    const answers = bodies(await reader.messages(1));
    return `${answers}; ${await left(consumer, queue, 1)}`;
  },

  async "SEND in a transaction asks for a receipt: before and after COMMIT"(queue) {
    const sender = await Connection.open();
    const transaction = sender.client.begin();
    sender.client.publish({ destination: queue, body: "a", headers: { transaction: transaction.id, receipt: "of-send" } });
    const before = await sender.receipts();
    transaction.commit();
    const after = await sender.receipts(1);
    return `${before.length}; ${after.length}`;
  },

  async "SEND in a transaction asks for a receipt: ABORT"(queue) {
    const sender = await Connection.open();
    const transaction = sender.client.begin();
    sender.client.publish({ destination: queue, body: "a", headers: { transaction: transaction.id, receipt: "of-send" } });
    transaction.abort();
    return `${(await sender.receipts()).length}`;
  },
};
