// The state of the connection, in words. It stands above the conversation and hides nothing of it.

// In milliseconds.
const QUIET_START = 400; // a connection that is quick needs no word
const SHOWN_BACK = 4_000;
const SHOWN_RELOADED = 8_000; // it says that something has changed, and takes longer to read

/** Shows one sentence, and takes it away when it is no longer true. */
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

  /** The newest messages are there; `isComplete` tells whether they join what was shown. */
  back(isComplete) {
    if (!this.#wasAway) {
      this.#hide();
      return;
    }
    this.#wasAway = false;
    if (isComplete) this.#show("Back. Nothing was missed", "good");
    else this.#show("Back. This page was reloaded because it was away too long", "good");
    this.#later(isComplete ? SHOWN_BACK : SHOWN_RELOADED, () => this.#hide());
  }

  /** It does not come back by itself. */
  failed(sentence) {
    this.#show(sentence, "bad");
  }

  #show(sentence, kind) {
    clearTimeout(this.#timer);
    this.#element.textContent = sentence;
    this.#element.dataset.kind = kind;
  }

  #hide() {
    clearTimeout(this.#timer);
    // Emptied and not hidden: a live region that comes and goes is not read out by every screen reader.
    this.#element.textContent = "";
  }

  #later(milliseconds, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, milliseconds);
  }
}
