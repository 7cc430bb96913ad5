// The study room's STOMP 1.2 client: one connection that comes back by itself, subscriptions that outlive it, receipts
// as promises.
//
//   idle → connecting → connected ⇄ reconnecting → ended      (`open` leads from idle and ended to connecting)

import { encodeFrame, FrameDecoder } from "./frames.js";

// All in milliseconds.
const PERIOD = 10_000; // heart-beats, both ways
const MISSED_BEATS = 3; // of the server, before the connection counts as dead
const CONNECT_PATIENCE = 10_000; // until CONNECTED
const RECEIPT_PATIENCE = 15_000;
const FIRST_DELAY = 500; // before the first reconnect, at most; it doubles with each
const LONGEST_DELAY = 20_000;
const STABLE = 5_000; // a connection that lasted so long starts the delays anew

/** Why a frame was not confirmed: `code` is the server's, or "offline", or "late". */
export class SendError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

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
  #subscriptions = new Map();
  #receipts = new Map();
  #nextReceipt = 1;
  #attempts = 0;
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

  /** Calls `handler(frame)` for every message of a destination, now and after every reconnect. */
  subscribe(destination, handler) {
    const id = `sub-${this.#subscriptions.size}`;
    this.#subscriptions.set(id, { destination, handler });
    if (this.state === "connected") this.#sendFrame("SUBSCRIBE", { id, destination });
  }

  /** Sends JSON; resolves with the RECEIPT, rejects with a SendError. */
  send(destination, payload) {
    if (this.state !== "connected") return Promise.reject(new SendError("offline", "There is no connection."));
    const receipt = `r-${this.#nextReceipt++}`;
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(receipt, new SendError("late", "The server has not confirmed it."));
      this.#receipts.set(receipt, { resolve, reject, timer: setTimeout(late, RECEIPT_PATIENCE) });
      this.#sendFrame("SEND", { destination, receipt, "content-type": "application/json" }, JSON.stringify(payload));
    });
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
      this.#lost({ code: 1002, reason: "" });
      return;
    }
    frames.forEach((frame) => this.#handle(frame));
  }

  #handle({ command, headers, body }) {
    if (command === "CONNECTED") {
      this.#connected(headers);
    } else if (command === "MESSAGE") {
      this.#subscriptions.get(headers.get("subscription"))?.handler({ headers, body });
    } else if (command === "RECEIPT") {
      this.#settle(headers.get("receipt-id"));
    } else if (command === "ERROR") {
      // The server closes after it; the close status says whether to come back.
      this.#lastError = headers.get("code");
      this.#settle(headers.get("receipt-id"), refusal({ headers, body }));
    }
  }

  #connected(headers) {
    clearTimeout(this.#timer);
    this.#connectedAt = performance.now();
    const [sent, wanted] = (headers.get("heart-beat") ?? "0,0").split(",").map(Number);
    this.#longestSilence = sent > 0 ? MISSED_BEATS * Math.max(sent, PERIOD) : Infinity;
    // A beat too early is cheap, one too late is not.
    this.#worker.postMessage(Math.max(wanted, PERIOD) * 0.8);
    for (const [id, { destination }] of this.#subscriptions) this.#sendFrame("SUBSCRIBE", { id, destination });
    this.#setState("connected");
  }

  #beat() {
    if (this.state !== "connected") return;
    if (performance.now() - this.#lastHeard > this.#longestSilence) this.#lost({ code: 1006, reason: "" });
    else this.#socket.send("\n");
  }

  /** The connection is gone, by its close or because nothing is heard of it. */
  async #lost({ code, reason }, wasRefused = false) {
    this.#abandon();
    if (performance.now() - this.#connectedAt > STABLE) this.#attempts = 0;
    this.#connectedAt = Infinity;
    // By convention 4400 to 4499 tell a client not to come back.
    if (code >= 4400 && code < 4500) {
      this.#end(this.#lastError ?? (code === 4401 ? "logged-out" : "refused"));
      return;
    }
    if (this.state === "connected") this.#setState("reconnecting");
    if (wasRefused && (await this.#isLoggedIn()) === false && !this.#socket) {
      this.#end("logged-out");
      return;
    }
    // While the question was out, `hurry` or `close` may have been faster.
    if (this.#socket || this.state === "ended") return;
    const atLeast = Number(/^retry-after=(\d+)$/.exec(reason)?.[1] ?? 0);
    this.#notBefore = performance.now() + atLeast;
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts++);
    // Full jitter: pages that were cut off together do not come back together.
    this.#wait(atLeast + Math.random() * most, () => this.#connect());
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
    for (const receipt of [...this.#receipts.keys()]) {
      this.#settle(receipt, new SendError("offline", "The connection was lost."));
    }
  }

  #refused(frame) {
    const error = refusal(frame);
    const isAnswer = this.#settle(frame.headers.get("receipt-id"), error);
    if (!isAnswer) this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  /** Ends the wait for a receipt; whether anybody waited. */
  #settle(receipt, error) {
    const waiting = this.#receipts.get(receipt);
    if (!waiting) return false;
    clearTimeout(waiting.timer);
    this.#receipts.delete(receipt);
    if (error) waiting.reject(error);
    else waiting.resolve();
    return true;
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

function startWorker(onBeat) {
  const url = new URL("./heartbeat-worker.js", import.meta.url).href;
  // A worker's address is a script's: the content security policy knows this one policy for it.
  const policy = globalThis.trustedTypes?.createPolicy("heartbeat-worker", { createScriptURL: () => url });
  const worker = new Worker(policy ? policy.createScriptURL("") : url);
  worker.onmessage = onBeat;
  return worker;
}

/** An ERROR, or a message on the queue of errors. */
function refusal({ headers, body }) {
  let message = headers.get("message") ?? "The server refused it.";
  try {
    message = JSON.parse(body).message ?? message;
  } catch {
    // An ERROR's body is plain text, and its message header says it shorter.
  }
  return new SendError(headers.get("code") ?? "refused", message);
}
