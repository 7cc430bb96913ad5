// From the composer to the server: what is written waits, is confirmed, or failed and can be sent again.

import { faultOf, isFinal } from "./limits.js";

/** Sends what is written to one destination. Everything else on the page is told by it what became of a message. */
export class Sending {
  #client;
  #destination;
  #outbox;
  #me;
  conversation; // both are made after this, as they need it
  composer;

  constructor(client, destination, outbox, me) {
    this.#client = client;
    this.#destination = destination;
    this.#outbox = outbox;
    this.#me = me;
    client.addEventListener("state", ({ detail: state }) => state === "connected" && this.#sendWaiting());
  }

  /** Shows what a reload has left unconfirmed. */
  restore() {
    this.#outbox.entries.forEach((entry) => this.conversation.waiting(entry));
  }

  say(text) {
    return this.#send(this.#outbox.add(text));
  }

  /** Our own message has come back: it is kept, whether its RECEIPT came or not. */
  settled({ author, key }) {
    if (author === this.#me) this.#outbox.remove(key);
  }

  /** The same message would be refused again: then it has to be changed. */
  whatToDo(failure) {
    const again = isFinal(failure) ? ["Edit", (key) => this.#edit(key)] : ["Send again", (key) => this.#sendAgain(key)];
    return [again, ["Discard", (key) => this.#discard(key)]];
  }

  #sendWaiting() {
    this.#outbox.entries.filter(({ failure }) => failure === undefined).forEach((entry) => this.#send(entry));
  }

  async #send(entry) {
    const { key, text } = entry;
    // Kept from before, or put there by other means: the server would end the connection for one that is far too long.
    const fault = faultOf(text);
    if (fault) this.#outbox.fail(key, fault);
    this.conversation.waiting(entry);
    if (fault) return;
    try {
      await this.#client.send(this.#destination, { text, key }, key);
      this.#outbox.remove(key);
      this.conversation.confirmed(key);
    } catch (error) {
      // Without a connection it waits and goes out with the next one; the key makes that safe.
      if (error.code === "offline" || !this.#outbox.find(key)) return;
      this.#outbox.fail(key, { code: error.code, message: error.message });
      this.conversation.waiting(entry);
    }
  }

  /** Back into the field; once it is sent it is another message, with a key of its own. */
  #edit(key) {
    const { text } = this.#outbox.find(key);
    this.#discard(key);
    this.composer.edit(text);
  }

  #sendAgain(key) {
    this.#outbox.fail(key, undefined);
    this.#send(this.#outbox.find(key));
    this.composer.focus();
  }

  #discard(key) {
    this.#outbox.remove(key);
    this.conversation.discard(key);
    this.composer.focus();
  }
}
