// Messages that are not confirmed yet. They outlive a reload, and their keys make sending again safe.

/** The unconfirmed messages of one room: `{ key, text, failure? }`, oldest first. */
export class Outbox {
  #place;
  #entries;

  constructor(roomId) {
    this.#place = `outbox:${roomId}`;
    this.#entries = JSON.parse(sessionStorage.getItem(this.#place) ?? "[]");
  }

  get entries() {
    return [...this.#entries];
  }

  add(text) {
    const entry = { key: crypto.randomUUID?.() ?? randomKey(), text };
    this.#entries.push(entry);
    this.#save();
    return entry;
  }

  fail(key, failure) {
    const entry = this.#entries.find((known) => known.key === key);
    if (entry) entry.failure = failure;
    this.#save();
  }

  remove(key) {
    this.#entries = this.#entries.filter((known) => known.key !== key);
    this.#save();
  }

  #save() {
    sessionStorage.setItem(this.#place, JSON.stringify(this.#entries));
  }
}

/** Over plain http from another machine there is no randomUUID. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) => octet.toString(16).padStart(2, "0")).join("");
}
