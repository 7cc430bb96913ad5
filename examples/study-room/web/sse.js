// One event stream for all tabs of a browser. Over HTTP/1.1 a browser opens six connections to a server, over all its tabs, and
// each stream holds one: so one tab leads, holds the stream and passes on what comes. When it goes, the next one leads.

import { Backoff } from "./backoff.js";

/**
 * The events of `url` in every tab that has the same `name`: `onEvent(event)` is called with what comes, as JSON, and `onJoined()`
 * where another tab holds the stream already, which has had its beginning.
 *
 * A tab leads while it holds the lock `name`, which its end sets free however it comes. Where a browser has no locks (they need
 * HTTPS, or this machine), each tab has a stream of its own. `connect` opens one, as `connectTo` does; `locks` and `newChannel`
 * are the browser's.
 */
export class SharedStream {
  #name;
  #connect;
  #onEvent;
  #onJoined;
  #locks;
  #newChannel;
  #run; // one from start to stop: what it has begun ends with it

  constructor({
    name, connect, onEvent, onJoined = () => {},
    locks = globalThis.navigator?.locks, newChannel = (channel) => new BroadcastChannel(channel),
  }) {
    this.#name = name;
    this.#connect = connect;
    this.#onEvent = onEvent;
    this.#onJoined = onJoined;
    this.#locks = locks;
    this.#newChannel = newChannel;
  }

  start() {
    if (this.#run) return;
    const run = new AbortController();
    this.#run = run;
    if (this.#locks) this.#share(run.signal);
    else this.#hold(run.signal, () => {});
  }

  stop() {
    this.#run?.abort();
    this.#run = undefined;
  }

  async #share(signal) {
    const tabs = this.#newChannel(this.#name);
    // Listened to before anything is asked, so that nothing falls in between.
    tabs.onmessage = ({ data }) => signal.aborted || this.#onEvent(data);
    signal.addEventListener("abort", () => tabs.close());
    const lead = () => this.#hold(signal, (event) => tabs.postMessage(event));
    const hasLed = await this.#locks.request(this.#name, { ifAvailable: true }, async (lock) => {
      if (lock) await lead();
      return lock !== null;
    });
    if (hasLed || signal.aborted) return;
    this.#onJoined();
    // Until its turn comes, or until it is stopped: then waiting ends with an error that says nothing new.
    await this.#locks.request(this.#name, { signal }, lead).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Resolves when it is stopped. */
  #hold(signal, pass) {
    return new Promise((stopped) => {
      if (signal.aborted) {
        stopped();
        return;
      }
      const close = this.#connect((event) => {
        pass(event);
        this.#onEvent(event);
      });
      signal.addEventListener("abort", () => {
        close();
        stopped();
      });
    });
  }
}

/**
 * Opens an event stream that comes back by itself; returns what closes it. A browser comes back after whatever passes by itself,
 * and stops for good after a refusal: then, and where the server says that it is over, `isLoggedIn()` is asked before anything
 * else. `onOver(code)` is told where the answer is no, and nothing is tried any more: an end of the login is no reason to knock
 * again and again. `onExpiring(milliseconds)` is told when the login ends soon.
 */
export function connectTo(url, names, { isLoggedIn, onOver, onExpiring }) {
  return (onEvent) => {
    const backoff = new Backoff();
    let isClosed = false;
    let source;
    let timer;
    const open = () => {
      const openedAt = performance.now();
      const own = new EventSource(url);
      source = own;
      const over = async (code) => {
        own.close();
        if ((await isLoggedIn()) === false) {
          if (!isClosed) onOver(code);
        } else if (!isClosed && source === own) {
          timer = setTimeout(open, backoff.next(performance.now() - openedAt, 0));
        }
      };
      for (const name of names) own.addEventListener(name, ({ data }) => onEvent(JSON.parse(data)));
      own.addEventListener("parlor.expiring", ({ data }) => onExpiring(1_000 * JSON.parse(data).expires_in));
      own.addEventListener("parlor.closed", ({ data }) => {
        const { code, retry } = JSON.parse(data);
        if (retry === undefined) over(code);
      });
      own.addEventListener("error", () => own.readyState === EventSource.CLOSED && over("refused"));
    };
    open();
    return () => {
      isClosed = true;
      clearTimeout(timer);
      source.close();
    };
  };
}
