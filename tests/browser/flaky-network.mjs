// A network between browsers and a server that breaks where the script wants it: for one browser's WebSockets alone.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** A port that is free now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Passes connections on to a port of this machine. Browsers are told from each other by their cookie. */
export class FlakyNetwork {
  #to;
  #server = createServer((browser) => this.#pass(browser));
  #cut = new Set(); // cookies
  #sockets = new Map(); // of WebSockets: from both ends to the cookie

  constructor(to) {
    this.#to = to;
  }

  /** Resolves with the port to which browsers connect. */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this.#server.address().port;
  }

  /** Breaks the WebSockets with this cookie, and lets no new one through. */
  cut(cookie) {
    this.#cut.add(cookie);
    for (const { browser, server } of this.#of(cookie)) [browser, server].forEach((socket) => socket.destroy());
  }

  /** From now on the server hears the browser, and the browser hears nothing; until it is cut off. */
  deafen(cookie) {
    for (const { browser, server } of this.#of(cookie)) {
      server.unpipe(browser);
      server.resume();
    }
  }

  restore(cookie) {
    this.#cut.delete(cookie);
  }

  #of(cookie) {
    return [...this.#sockets].filter(([, owner]) => owner === cookie).map(([pair]) => pair);
  }

  async #pass(browser) {
    browser.on("error", () => {});
    const [head] = await once(browser, "data").catch(() => []);
    if (!head) return;
    const text = head.toString("latin1");
    const cookie = text.startsWith("GET /ws ") ? /^cookie:.*token=([^;\r\n]+)/im.exec(text)?.[1] : undefined;
    if (this.#cut.has(cookie)) {
      browser.destroy();
      return;
    }
    const server = connect(this.#to, "127.0.0.1");
    const pair = { browser, server };
    if (cookie) this.#sockets.set(pair, cookie);
    // One end takes the other with it, and a killed server both.
    const end = () => {
      this.#sockets.delete(pair);
      browser.destroy();
      server.destroy();
    };
    server.on("error", end).on("close", end);
    browser.on("error", end).on("close", end);
    server.write(head);
    browser.pipe(server);
    server.pipe(browser);
  }
}
