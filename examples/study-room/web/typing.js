// The line that says who is typing. It has its place whether it says something or not.

import { inWords, TypingSignal, Typists } from "./typists.js";

/** Shows in `line` who types, but for `me`; tells by `say(payload)` when the field has something in it. */
export class TypingLine {
  #line;
  #me;
  #say;
  #typists = new Typists();
  #signal = new TypingSignal();
  #next;

  constructor(line, field, me, say) {
    this.#line = line;
    this.#me = me;
    this.#say = say;
    field.addEventListener("input", () => this.#tell(this.#signal.changed(field.value, Date.now())));
  }

  heard(typing) {
    // Another tab of ours.
    if (typing.author === this.#me) return;
    this.#typists.heard(typing, Date.now());
    this.#show();
  }

  /** A message has come. */
  said(author) {
    this.#typists.said(author);
    this.#show();
  }

  /** We have sent what was typed. */
  sent() {
    this.#signal.sent();
  }

  #tell(typing) {
    if (typing !== undefined) this.#say({ typing });
  }

  #show() {
    clearTimeout(this.#next);
    const words = inWords(this.#typists.at(Date.now()));
    if (this.#line.textContent !== words) this.#line.textContent = words;
    const wait = this.#typists.untilNext(Date.now());
    if (wait !== undefined) this.#next = setTimeout(() => this.#show(), wait);
  }
}
