// The study room's STOMP client: one connection that comes back by itself, subscriptions that outlive it, receipts as
// promises.

import { encodeFrame, FrameDecoder } from "./frames.js";

const PERIOD = 10_000; // what we offer and want in heart-beats, in milliseconds
const RECEIPT_PATIENCE = 15_000;
const FIRST_DELAY = 500;
const LONGEST_DELAY = 20_000;

/** Why a message was not confirmed. `final` means that sending it again would not help. */
export class SendError extends Error {
  constructor(code, message, final = false) {
    super(message);
    this.code = code;
    this.final = final;
  }
}

/**
 * Events: `state` with detail "connecting" | "connected" | "reconnecting" | "ended" (and `reason`).
 * `isLoggedIn` is asked after a failed handshake, of which browsers tell nothing but 1006.
 */
export class StompClient extends EventTarget {
  state = "ended";
  #url;
  #isLoggedIn;
  #socket;
  #decoder;
  #attempts = 0;
  #everConnected = false;
  #nextId = 1;
  #subscriptions = new Map();
  #receipts = new Map();
  #worker;
  #lastHeard = 0;
  #retry;

  constructor(url, isLoggedIn) {
    super();
    this.#url = url;
    this.#isLoggedIn = isLoggedIn;
    this.subscribe("/user/queue/errors", (frame) => this.#refused(frame));
  }

  /** Opens the connection and keeps it open until `close`. */
  open() {
    this.#worker ??= this.#startWorker();
    this.#connect();
    addEventListener("online", () => this.#connectNow());
  }

  /** Calls `handler(frame)` for every message of a destination, now and after every reconnect. */
  subscribe(destination, handler) {
    const id = `sub-${this.#subscriptions.size}`;
    this.#subscriptions.set(id, { destination, handler });
    if (this.state === "connected") this.#sendFrame("SUBSCRIBE", { id, destination });
  }

  /** Sends JSON; resolves with the RECEIPT and rejects with a SendError. */
  send(destination, payload) {
    if (this.state !== "connected") return Promise.reject(new SendError("offline", "There is no connection."));
    const receipt = `r-${this.#nextId++}`;
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(receipt, new SendError("late", "The server has not confirmed it."));
      this.#receipts.set(receipt, { resolve, reject, timer: setTimeout(late, RECEIPT_PATIENCE) });
      this.#sendFrame("SEND", { destination, receipt, "content-type": "application/json" }, JSON.stringify(payload));
    });
  }

  /** Says goodbye. */
  close() {
    clearTimeout(this.#retry);
    if (this.state === "connected") this.#sendFrame("DISCONNECT");
    this.#end("closed");
  }

  #connect() {
    this.#setState(this.#everConnected ? "reconnecting" : "connecting");
    this.#decoder = new FrameDecoder();
    const socket = new WebSocket(this.#url, ["v12.stomp"]);
    socket.binaryType = "arraybuffer";
    let opened = false;
    socket.onopen = () => {
      opened = true;
      const heartBeat = `${PERIOD},${PERIOD}`;
      this.#sendFrame("CONNECT", { "accept-version": "1.2", host: location.host, "heart-beat": heartBeat });
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#received(data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event, opened);
    };
    this.#socket = socket;
  }

  #connectNow() {
    if (this.state !== "reconnecting" || this.#socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  #received(data) {
    this.#lastHeard = performance.now();
    let frames;
    try {
      frames = this.#decoder.push(data);
    } catch {
      this.#socket.close(4000, "bad frame");
      return;
    }
    for (const frame of frames) this.#handle(frame);
  }

  #handle(frame) {
    switch (frame.command) {
      case "CONNECTED":
        this.#connected(frame);
        break;
      case "MESSAGE":
        this.#subscriptions.get(frame.headers.get("subscription"))?.handler(frame);
        break;
      case "RECEIPT":
        this.#settle(frame.headers.get("receipt-id"));
        break;
      case "ERROR":
        this.#settle(frame.headers.get("receipt-id"), refusal(frame));
        break;
      default:
    }
  }

  #connected(frame) {
    this.#attempts = 0;
    this.#everConnected = true;
    const [sends, wants] = (frame.headers.get("heart-beat") ?? "0,0").split(",").map(Number);
    this.expectEvery = sends > 0 ? Math.max(sends, PERIOD) : 0;
    this.#worker.postMessage(wants > 0 ? Math.max(wants, PERIOD) * 0.8 : 0);
    for (const [id, { destination }] of this.#subscriptions) this.#sendFrame("SUBSCRIBE", { id, destination });
    this.#setState("connected");
  }

  #closed({ code, reason }, opened) {
    this.#worker.postMessage(0);
    for (const receipt of [...this.#receipts.keys()]) {
      this.#settle(receipt, new SendError("offline", "The connection was lost."));
    }
    if (this.state === "ended") return;
    // By convention 4400 to 4499 tell a client not to come back.
    if (code >= 4400 && code < 4500) {
      this.#end(code === 4401 ? "logged-out" : "refused");
      return;
    }
    this.#setState(this.#everConnected ? "reconnecting" : "connecting");
    if (opened) this.#later(Number(/^retry-after=(\d+)$/.exec(reason)?.[1] ?? 0));
    else this.#afterFailedHandshake();
  }

  async #afterFailedHandshake() {
    if ((await this.#isLoggedIn()) === false) this.#end("logged-out");
    else this.#later(0);
  }

  #later(atLeast) {
    const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts++);
    // Full jitter: clients that were cut off together do not come back together.
    this.#retry = setTimeout(() => this.#connect(), atLeast + Math.random() * most);
  }

  #refused(frame) {
    this.#settle(frame.headers.get("receipt-id"), refusal(frame));
    this.dispatchEvent(new CustomEvent("refused", { detail: frame }));
  }

  #settle(receipt, error) {
    const waiting = this.#receipts.get(receipt);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#receipts.delete(receipt);
    if (error) waiting.reject(error);
    else waiting.resolve();
  }

  #startWorker() {
    const worker = new Worker(workerUrl());
    worker.onmessage = () => {
      if (this.state !== "connected") return;
      if (this.expectEvery > 0 && performance.now() - this.#lastHeard > 3 * this.expectEvery) {
        this.#abandon();
      } else {
        this.#socket.send("\n");
      }
    };
    return worker;
  }

  /** The network is gone without a word: do not wait for its close. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = undefined;
    socket.close();
    this.#closed({ code: 1006, reason: "" }, true);
  }

  #sendFrame(command, headers, body) {
    this.#socket.send(encodeFrame(command, headers, body));
  }

  #end(reason) {
    this.reason = reason;
    this.#setState("ended");
    this.#worker?.postMessage(0);
    this.#socket?.close();
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

/** The worker's address, by the one policy that the page's content security policy knows. */
function workerUrl() {
  const url = new URL("./heartbeat-worker.js", import.meta.url).href;
  const policy = globalThis.trustedTypes?.createPolicy("heartbeat-worker", { createScriptURL: () => url });
  return policy ? policy.createScriptURL("") : url;
}

function refusal(frame) {
  const code = frame.headers.get("code") ?? "refused";
  let message = frame.headers.get("message") ?? "The server refused it.";
  try {
    message = JSON.parse(frame.body).message ?? message;
  } catch {
    // An ERROR's body is plain text, and its message header says it shorter.
  }
  return new SendError(code, message, code !== "internal" && code !== "cancelled");
}
