// Connections of @stomp/stompjs that tell what they saw: the words that all scenarios are written in.

import { Client, Versions } from "@stomp/stompjs";
import { WebSocket } from "ws";

Object.assign(globalThis, { WebSocket });

const url = process.env.BROKER_URL;

/** How long a server may take for what it owes, in ms. */
const PATIENCE = 30_000;
/** Nothing comes any more after so many echoes, each of them sent when the one before it was there, … */
const ECHOES = 3;
/** … and so long afterwards, in ms. Scenarios run beside each other, so this costs little. */
const QUIET = 1000;

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** One connection, and what it has seen. */
export class Connection {
  static #count = 0;
  #events = [];
  #wake = [];
  #receipts = 0;
  #subscriptions = 0;
  #echoes = 0;
  #name = `${process.pid}-${(Connection.#count += 1)}`;

  static async open({ version = "1.2", ...options } = {}) {
    const connection = new Connection();
    const client = new Client({
      brokerURL: url,
      connectHeaders: { login: "guest", passcode: "guest" },
      reconnectDelay: 0,
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      stompVersions: new Versions([version]),
      ...options,
    });
    connection.client = client;
    client.onStompError = (frame) => connection.#saw({ error: frame });
    client.onUnhandledReceipt = (frame) => connection.#saw({ receipt: frame.headers["receipt-id"] });
    client.onUnhandledMessage = (message) => connection.#saw({ message });
    client.onWebSocketClose = ({ code }) => connection.#saw({ close: code });
    client.onConnect = (frame) => connection.#saw({ connected: frame });
    // A broken connection is told by its close.
    client.onWebSocketError = () => {};
    client.activate();
    connection.connected = (await connection.first(({ connected, error, close }) => connected ?? error ?? close))?.connected;
    return connection;
  }

  /** Ends the connection without a DISCONNECT. */
  async cut() {
    if (this.client.webSocket?.readyState === WebSocket.OPEN) {
      this.client.webSocket.terminate();
      await this.first(({ close }) => close);
    }
  }

  /** Ends the connection by DISCONNECT and waits for its receipt and the close. */
  disconnect() {
    return this.client.deactivate();
  }

  /** Subscribes, and returns once that is confirmed. */
  async subscribe(destination, { ack = "auto", id = `s-${++this.#subscriptions}`, ...headers } = {}) {
    const receipt = this.#receipt();
    this.client.subscribe(destination, (message) => this.#saw({ message }), { id, ack, receipt, ...headers });
    await this.#answer(receipt);
  }

  /** Sends, and returns once that is confirmed. */
  async send(destination, body = "", headers = {}) {
    const receipt = this.#receipt();
    const content = typeof body === "string" ? { body } : { binaryBody: body };
    this.client.publish({ destination, ...content, headers: { receipt, ...headers } });
    await this.#answer(receipt);
  }

  /** Sends a frame as it is written here, which the client has no call for. On a closed connection it goes nowhere. */
  raw(command, headers = {}, body = "") {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    this.client.webSocket?.send(`${command}\n${lines.join("")}\n${body}\0`);
  }

  /** Sends such a frame, and says what answers it: "RECEIPT", "ERROR", "a close", or "nothing". */
  async ask(command, headers = {}, body = "") {
    const receipt = this.#receipt();
    this.raw(command, { receipt, ...headers }, body);
    return this.#answer(receipt);
  }

  /** As `ask`, and whether the connection lives on after a RECEIPT. */
  async outcome(command, headers = {}, body = "") {
    const answer = await this.ask(command, headers, body);
    // Whether a RECEIPT comes in front of a close that it cannot prevent is chance.
    return answer === "RECEIPT" && !(await this.lives()) ? "a close" : answer;
  }

  /** What the server has said last: "ERROR", "a close", or "nothing". */
  answer() {
    return this.#answer();
  }

  /** Whether the connection still answers when nothing comes any more. */
  async lives() {
    if (await this.#nextOrNone(({ close }) => close)) return false;
    const receipt = this.#receipt();
    // Any command that asks for a receipt would do.
    this.raw("BEGIN", { receipt, transaction: "alive" });
    return Boolean((await this.first((event) => event.receipt === receipt || event.close))?.receipt);
  }

  /** So many messages, which must come. */
  async take(count) {
    return (await this.#take(({ message }) => message, count)).map(({ message }) => message);
  }

  /** The next message, which must come. */
  async message() {
    return (await this.take(1))[0];
  }

  /** The next message, or undefined where nothing comes any more. */
  async messageOrNone() {
    return (await this.#nextOrNone(({ message }) => message))?.message;
  }

  /** All messages until nothing comes any more, of which `least` must come. */
  messages(least = 0) {
    return this.#all("message", least);
  }

  /** The ids of all receipts that nobody waited for, until nothing comes any more, of which `least` must come. */
  receipts(least = 0) {
    return this.#all("receipt", least);
  }

  /** The first event that is of a kind, which stays; undefined where none comes in time. */
  first(wanted) {
    return this.#find(wanted, PATIENCE, false);
  }

  async #take(wanted, count) {
    const found = [];
    while (found.length < count) {
      const event = await this.#find(wanted, PATIENCE, true);
      if (!event) throw new Error(`${found.length} of ${count} came`);
      found.push(event);
    }
    return found;
  }

  async #all(kind, least) {
    const wanted = (event) => event[kind];
    const found = await this.#take(wanted, least);
    for (let event; (event = await this.#nextOrNone(wanted));) found.push(event);
    return found.map(wanted);
  }

  async #nextOrNone(wanted) {
    for (let echo = 0; echo < ECHOES; echo += 1) {
      const event = await this.#find(wanted, 0, true);
      if (event) return event;
      await this.#echo();
    }
    return this.#find(wanted, QUIET, true);
  }

  /** Sends a message to itself and waits for it: a server that is slow now is given time for everything else too. */
  async #echo() {
    if (!this.client.connected) return;
    const destination = `/topic/echo-${this.#name}`;
    if (this.#echoes === 0) this.client.subscribe(destination, ({ body }) => this.#saw({ echo: body }), { id: "echo" });
    this.#echoes += 1;
    const body = String(this.#echoes);
    this.client.publish({ destination, body });
    await this.first(({ echo, close }) => echo === body || close);
  }

  async #find(wanted, patience, taken) {
    const deadline = Date.now() + patience;
    for (;;) {
      const index = this.#events.findIndex(wanted);
      if (index >= 0) return taken ? this.#events.splice(index, 1)[0] : this.#events[index];
      const left = deadline - Date.now();
      if (left <= 0) return undefined;
      await Promise.race([sleep(left), new Promise((resolve) => { this.#wake.push(resolve); })]);
    }
  }

  async #answer(receipt) {
    const event = await this.first((event) => event.receipt === receipt || event.error || event.close);
    if (!event) return "nothing";
    if (event.receipt) return "RECEIPT";
    return event.error ? "ERROR" : "a close";
  }

  #receipt() {
    this.#receipts += 1;
    return `r-${this.#receipts}`;
  }

  #saw(event) {
    this.#events.push(event);
    this.#wake.splice(0).forEach((wake) => wake());
  }
}

/** The bodies of messages, each with what was said of its redelivery. */
export const bodies = (messages) => messages
  .map(({ body, headers }) => (headers.redelivered === "true" ? `${body} redelivered` : body))
  .join(", ") || "nothing";
