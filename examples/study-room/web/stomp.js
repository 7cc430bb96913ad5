// The study room's STOMP 1.2 client: one connection that comes back by itself, subscriptions that outlive it and go on where
// they were, receipts as promises.
//
//   idle → connecting → connected ⇄ reconnecting → ended      (`open` leads from idle and ended to connecting)

import { Backoff } from "./backoff.js";
import { encodeFrame, FrameDecoder } from "./frames.js";
import { startWorker } from "./heartbeat.js";
import { Receipts, refusal, SendError } from "./receipts.js";
import { Resumption } from "./resumption.js";

// All in milliseconds.
const PERIOD = 10_000; // heart-beats, both ways
const MISSED_BEATS = 3; // of the server, before the connection counts as dead
const CONNECT_PATIENCE = 10_000; // until CONNECTED

/**
 * Events: `state` (see `state`; `reason` says why it ended) and `refused` with a SendError, for a subscription that the
 * server refused. `isLoggedIn` is asked after a failed handshake, of which browsers tell nothing but 1006.
 */
export class StompClient extends EventTarget {
  state = "idle";
  reason;
  #url;
  #isLoggedIn;
  #socket;
  #decoder;
  #worker;
  #subscriptions = new Map(); // by id
  #nextSubscription = 0;
  #receipts = new Receipts();
  #backoff = new Backoff();
  #connectedAt = Infinity;
  #lastHeard = 0;
  #longestSilence = Infinity;
  #lastError;
  #timer; // one at a time: the wait for CONNECTED, or for the next attempt
  #notBefore = 0; // when the server wants to see us again

  constructor(url, isLoggedIn) {
    super();
    this.#url = url;
    this.#isLoggedIn = isLoggedIn;
    this.subscribe("/user/queue/errors", (frame) => this.#refused(frame));
    // Moments at which waiting any longer makes no sense.
    addEventListener("online", () => this.#hurry());
    addEventListener("visibilitychange", () => this.#hurry());
  }

  /** Connects, and comes back after every loss until `close` or a log-out. */
  open() {
    if (this.state !== "idle" && this.state !== "ended") return;
    this.#worker ??= startWorker(() => this.#beat());
    this.#setState("connecting");
    this.#connect();
  }

  /**
   * Calls `handler(frame)` for every message of a destination, now and after every reconnect; and `onResumed()` first where the
   * server goes on where it was, so that what was missed follows. Where it has lost the place, the subscription begins anew,
   * with whatever a new one begins with. What is returned begins it anew at any time.
   */
  subscribe(destination, handler, onResumed = () => {}) {
    const subscription = { destination, handler, onResumed };
    this.#begin(subscription);
    return () => this.#beginAnew(subscription);
  }

  /** Sends JSON; resolves with the RECEIPT, rejects with a SendError. With the same `key`, where there is one, it counts once. */
  send(destination, payload, key) {
    if (this.state !== "connected") return Promise.reject(new SendError("offline", "There is no connection."));
    const { receipt, confirmed } = this.#receipts.expect();
    const headers = { destination, receipt, "content-type": "application/json", ...(key && { "message-key": key }) };
    this.#sendFrame("SEND", headers, JSON.stringify(payload));
    return confirmed;
  }

  /** Says goodbye. */
  close() {
    if (this.state === "connected") this.#sendFrame("DISCONNECT");
    this.#end("closed");
  }

  #connect() {
    const socket = new WebSocket(this.#url, ["v12.stomp"]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#decoder = new FrameDecoder();
    this.#lastError = undefined;
    this.#wait(CONNECT_PATIENCE, () => this.#lost({ code: 1006, reason: "" }));
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      const heartBeat = `${PERIOD},${PERIOD}`;
      this.#sendFrame("CONNECT", { "accept-version": "1.2", host: location.host, "heart-beat": heartBeat });
    };
    // An abandoned socket may still speak; nobody listens.
    socket.onmessage = ({ data }) => socket === this.#socket && this.#received(data);
    socket.onclose = (event) => socket === this.#socket && this.#lost(event, !isOpen);
  }

  #received(data) {
    this.#lastHeard = performance.now();
    let frames;
    try {
      frames = this.#decoder.push(data);
    } catch {
      return this.#lost({ code: 1002, reason: "" });
    }
    frames.forEach((frame) => this.#handle(frame));
  }

  #handle({ command, headers, body }) {
    if (command === "CONNECTED") {
      this.#connected(headers);
    } else if (command === "MESSAGE") {
      this.#message(headers.get("subscription"), { headers, body });
    } else if (command === "RECEIPT") {
      this.#receipts.confirm(headers);
    } else if (command === "ERROR") {
      // The server closes after it; the close status says whether to come back.
      this.#lastError = headers.get("code");
      this.#receipts.refuse(headers.get("receipt-id"), refusal({ headers, body }));
    }
  }

  #connected(headers) {
    clearTimeout(this.#timer);
    this.#connectedAt = performance.now();
    const [sent, wanted] = (headers.get("heart-beat") ?? "0,0").split(",").map(Number);
    this.#longestSilence = sent > 0 ? MISSED_BEATS * Math.max(sent, PERIOD) : Infinity;
    // A beat too early is cheap, one too late is not.
    this.#worker.postMessage(Math.max(wanted, PERIOD) * 0.8);
    for (const id of this.#subscriptions.keys()) this.#enter(id);
    this.#setState("connected");
  }

  #begin(subscription) {
    const id = `sub-${this.#nextSubscription++}`;
    Object.assign(subscription, { id, resumption: new Resumption() });
    this.#subscriptions.set(id, subscription);
    if (this.state === "connected") this.#enter(id);
  }

  #enter(id) {
    const subscription = this.#subscriptions.get(id);
    const { receipt, confirmed } = this.#receipts.expect();
    // Where nothing was said meanwhile, the RECEIPT alone tells where it begins, and how it goes on.
    confirmed.then(
      (answer) => this.#begun(id, answer),
      // A first MESSAGE may have told it as well: only a refusal is news.
      (error) => error.code !== "offline" && error.code !== "late" && this.#tell(error),
    );
    const { destination, resumption } = subscription;
    this.#sendFrame("SUBSCRIBE", { id, destination, receipt, ...resumption.headers() });
  }

  #begun(id, headers) {
    this.#resumed(id, headers);
    this.#subscriptions.get(id)?.resumption.begin(headers);
  }

  #message(id, frame) {
    this.#resumed(id, frame.headers);
    const subscription = this.#subscriptions.get(id);
    if (subscription?.resumption.take(frame.headers)) subscription.handler(frame);
  }

  #resumed(id, headers) {
    const subscription = this.#subscriptions.get(id);
    const answer = subscription?.resumption.answer(headers);
    if (answer === "resumed") subscription.onResumed();
    if (answer === "lost") this.#beginAnew(subscription);
  }

  /** Under a new id: what the old one still gets stands behind a hole, and nobody listens to it. */
  #beginAnew(subscription) {
    const { id } = subscription;
    this.#subscriptions.delete(id);
    if (this.state === "connected") this.#sendFrame("UNSUBSCRIBE", { id });
    this.#begin(subscription);
  }

  #beat() {
    if (this.state !== "connected") return;
    if (performance.now() - this.#lastHeard > this.#longestSilence) this.#lost({ code: 1006, reason: "" });
    else this.#socket.send("\n");
  }

  /** The connection is gone, by its close or because nothing is heard of it. */
  async #lost({ code, reason }, wasRefused = false) {
    this.#abandon();
    const lasted = performance.now() - this.#connectedAt;
    this.#connectedAt = Infinity;
    // By convention 4400 to 4499 tell a client not to come back.
    if (code >= 4400 && code < 4500) return this.#end(this.#lastError ?? (code === 4401 ? "logged-out" : "refused"));
    if (this.state === "connected") this.#setState("reconnecting");
    if (wasRefused && (await this.#isLoggedIn()) === false && !this.#socket) return this.#end("logged-out");
    // While the question was out, `hurry` or `close` may have been faster.
    if (this.#socket || this.state === "ended") return;
    const atLeast = Number(/^retry-after=(\d+)$/.exec(reason)?.[1] ?? 0);
    this.#notBefore = performance.now() + atLeast;
    this.#wait(this.#backoff.next(lasted, atLeast), () => this.#connect());
  }

  #hurry() {
    const isWaiting = !this.#socket && (this.state === "connecting" || this.state === "reconnecting");
    if (isWaiting && !document.hidden && performance.now() >= this.#notBefore) this.#connect();
  }

  #end(reason) {
    this.reason = reason;
    this.#abandon();
    this.#setState("ended");
  }

  #abandon() {
    clearTimeout(this.#timer);
    this.#worker?.postMessage(0);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    this.#receipts.abandon();
  }

  #refused(frame) {
    const error = refusal(frame);
    if (!this.#receipts.refuse(frame.headers.get("receipt-id"), error)) this.#tell(error);
  }

  #tell(error) {
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  #sendFrame(command, headers, body) {
    this.#socket.send(encodeFrame(command, headers, body));
  }

  #wait(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
