// Messages that are not confirmed yet. They outlive a reload of this tab, and their keys make sending again safe.

/** The unconfirmed messages of one person in one room: `{ key, text, failure?: { code, message } }`, oldest first. */
export class Outbox {
  #place;
  #entries;

  /** `owner` is part of the place: whoever logs in next in this tab must not send what another wrote. */
  constructor(roomId, owner) {
    this.#place = `outbox:${owner}:${roomId}`;
    this.#entries = this.#load();
  }

  get entries() {
    return [...this.#entries];
  }

  /** The entry with that key, while it is not confirmed. */
  find(key) {
    return this.#entries.find((entry) => entry.key === key);
  }

  add(text) {
    const entry = { key: newKey(), text };
    this.#entries.push(entry);
    this.#save();
    return entry;
  }

  /** Keeps why it was not sent, `{ code, message }`; without it, the message waits again. */
  fail(key, failure) {
    const entry = this.find(key);
    if (!entry) return;
    entry.failure = failure;
    this.#save();
  }

  remove(key) {
    if (!this.find(key)) return;
    this.#entries = this.#entries.filter((entry) => entry.key !== key);
    this.#save();
  }

  #load() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#place)) ?? [];
    } catch {
      return [];
    }
  }

  #save() {
    try {
      if (this.#entries.length === 0) sessionStorage.removeItem(this.#place);
      else sessionStorage.setItem(this.#place, JSON.stringify(this.#entries));
    } catch {
      // The browser keeps nothing, or no more: the page still has it until it is closed.
    }
  }
}

/** Over plain http from another machine there is no randomUUID. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const octets = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
