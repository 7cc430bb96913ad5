// What the system says between messages: who came, and who went. Quiet, and few: people look for what was said.

import { made } from "./text.js";

const MOST = 50; // on the page; the member list says who is here
const KNOWN = new Set(["entered", "left"]);

const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** The lines in a list of messages. */
export class SystemLines {
  #list;
  #lines = []; // oldest first

  constructor(list) {
    this.#list = list;
  }

  /** Puts a line before an element of the list, or at its end; nothing for what this page does not know. */
  add({ event, name, at }, before) {
    if (!KNOWN.has(event)) return;
    const line = made("li", "system", `${name} ${event}`);
    line.dir = "auto";
    line.dataset.sent = at;
    line.title = exactly.format(at);
    this.#list.insertBefore(line, before ?? null);
    this.#lines.push(line);
    if (this.#lines.length > MOST) this.#lines.shift().remove();
  }

  /** Forgets those before a message that is the oldest now; without one, all. */
  forgetBefore(item) {
    const isBefore = (line) => !item || line.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING;
    this.#lines = this.#lines.filter((line) => {
      if (isBefore(line)) line.remove();
      return line.isConnected;
    });
  }
}
