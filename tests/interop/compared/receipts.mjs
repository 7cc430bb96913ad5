// RECEIPT: for which commands, how many, and the last one.

import { Connection } from "./connection.mjs";

export const receipts = {
  async "commands that are confirmed by RECEIPT"(queue) {
    const client = await Connection.open();
    const answers = [];
    const ask = async (command, headers, body) => answers.push([command, await client.ask(command, headers, body)]);
    await ask("SUBSCRIBE", { destination: queue, id: "mine", ack: "client-individual" });
    await ask("SEND", { destination: queue }, "a");
    const first = await client.message();
    await ask("NACK", { id: first.headers.ack });
    const again = await client.message();
    await ask("ACK", { id: again.headers.ack });
    await ask("BEGIN", { transaction: "one" });
    await ask("COMMIT", { transaction: "one" });
    await ask("BEGIN", { transaction: "two" });
    await ask("ABORT", { transaction: "two" });
    await ask("UNSUBSCRIBE", { id: "mine" });
    await ask("DISCONNECT", {});
    const confirmed = answers.filter(([, answer]) => answer === "RECEIPT").map(([command]) => command);
    return [...new Set(confirmed)].sort().join(", ");
  },

  async "100 SENDs to a queue that ask for a receipt"(queue) {
    const client = await Connection.open();
    for (let number = 0; number < 100; number += 1) {
      client.client.publish({ destination: queue, body: "x", headers: { receipt: `send-${number}` } });
    }
    const found = await client.receipts(100);
    return `${new Set(found).size} distinct of ${found.length}`;
  },

  async "100 SENDs to a topic that nobody listens to"(_, topic) {
    const client = await Connection.open();
    for (let number = 0; number < 100; number += 1) {
      client.client.publish({ destination: topic, body: "x", headers: { receipt: `send-${number}` } });
    }
    const found = await client.receipts(100);
    return `${new Set(found).size} distinct of ${found.length}`;
  },

  async "the receipt of a SEND, then SUBSCRIBE by another connection"(queue) {
    const [sender, consumer] = [await Connection.open(), await Connection.open()];
    const counts = [];
    for (let round = 0; round < 20; round += 1) {
      await sender.send(`${queue}-${round}`, "a");
      await consumer.subscribe(`${queue}-${round}`);
      counts.push(await consumer.message());
    }
    return `${counts.length} of 20 arrive`;
  },

  async "a receipt whose id has a colon and a blank"(queue) {
    const client = await Connection.open();
    client.client.publish({ destination: queue, body: "x", headers: { receipt: "a: b" } });
    return `${await client.receipts(1)}`;
  },

  async "DISCONNECT with a receipt: what comes after what was sent before it, and the close"(queue) {
    const client = await Connection.open();
    for (let number = 0; number < 50; number += 1) client.client.publish({ destination: queue, body: "x" });
    const answer = await client.ask("DISCONNECT");
    const event = await client.first(({ close }) => close);
    const reader = await Connection.open();
    await reader.subscribe(queue);
    const kept = (await reader.messages(50)).length;
    return `${answer}; ${kept} messages kept; close ${event?.close}`;
  },

  async "DISCONNECT without a receipt: the close"() {
    const client = await Connection.open();
    client.raw("DISCONNECT");
    const event = await client.first(({ close }) => close);
    return `close ${event?.close}`;
  },
};
