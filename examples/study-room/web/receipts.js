// Receipts as promises: each frame that asks for one is confirmed, refused, or given up.

const PATIENCE = 15_000; // milliseconds

/** Why a frame was not confirmed: `code` is the server's, or "offline", or "late". */
export class SendError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** What an ERROR says, or a message on the queue of errors. */
export function refusal({ headers, body }) {
  let message = headers.get("message") ?? "The server refused it.";
  try {
    message = JSON.parse(body).message ?? message;
  } catch {
    // An ERROR's body is plain text, and its message header says it shorter.
  }
  return new SendError(headers.get("code") ?? "refused", message);
}

/** The receipts that are waited for. */
export class Receipts {
  #waiting = new Map();
  #next = 1;

  /** A new receipt id, and the promise of its RECEIPT's headers; it rejects with a SendError. */
  expect() {
    const receipt = `r-${this.#next++}`;
    const confirmed = new Promise((resolve, reject) => {
      const late = () => this.refuse(receipt, new SendError("late", "The server has not confirmed it."));
      this.#waiting.set(receipt, { resolve, reject, timer: setTimeout(late, PATIENCE) });
    });
    return { receipt, confirmed };
  }

  /** A RECEIPT has come. */
  confirm(headers) {
    this.#take(headers.get("receipt-id"))?.resolve(headers);
  }

  /** Whether anybody waited. */
  refuse(receipt, error) {
    const waiting = this.#take(receipt);
    waiting?.reject(error);
    return waiting !== undefined;
  }

  /** No RECEIPT comes any more. */
  abandon() {
    for (const receipt of [...this.#waiting.keys()]) this.refuse(receipt, new SendError("offline", "The connection was lost."));
  }

  #take(receipt) {
    const waiting = this.#waiting.get(receipt);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(receipt);
    return waiting;
  }
}
