// How long to wait before the next attempt to connect. No clock and no timer: it runs in tests as it is.

// In milliseconds.
const FIRST = 500; // before the first attempt, at most; it doubles with each
const LONGEST = 20_000;
const STABLE = 5_000; // a connection that lasted so long starts the delays anew

/** Full jitter: pages that were cut off together do not come back together. */
export class Backoff {
  #attempts = 0;
  #random;

  constructor(random = Math.random) {
    this.#random = random;
  }

  /** The wait after a connection that lasted so long (below 0: there was none). The server wants `atLeast`. */
  next(lasted, atLeast) {
    if (lasted > STABLE) this.#attempts = 0;
    const most = Math.min(LONGEST, FIRST * 2 ** this.#attempts++);
    return atLeast + this.#random() * most;
  }
}
