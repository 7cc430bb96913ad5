// The state of the connection, in words.

const QUIET_START = 400; // a connection that is quick needs no word
const BACK_FOR = 2000;

/** Shows one sentence above the conversation, and takes it away when it is no longer true. */
export class ConnectionBanner {
  #element;
  #timer;
  #wasAway = false;

  constructor(element) {
    this.#element = element;
  }

  connecting() {
    this.#later(QUIET_START, () => this.#show("Connecting…", "waiting"));
  }

  reconnecting() {
    this.#wasAway = true;
    this.#show("Reconnecting, your messages are kept", "waiting");
  }

  /** The newest messages are there; `complete` tells whether nothing was missed. */
  back(complete) {
    if (!this.#wasAway) {
      this.#hide();
      return;
    }
    this.#wasAway = false;
    if (complete) this.#show("Back. Nothing was missed", "good");
    else this.#show("Back. This page was reloaded because it was away too long", "good");
    this.#later(complete ? BACK_FOR : 3 * BACK_FOR, () => this.#hide());
  }

  failed(message) {
    this.#show(message, "bad");
  }

  #show(text, kind) {
    clearTimeout(this.#timer);
    this.#element.textContent = text;
    this.#element.dataset.kind = kind;
    this.#element.hidden = false;
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#element.hidden = true;
    this.#element.textContent = "";
  }

  #later(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }
}
