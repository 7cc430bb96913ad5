// What was said: days, runs of one author, own messages, and those that wait for their RECEIPT.
//
// Messages stand in the order of their ids, each once. Those that wait have no id yet and stand at the end; their own
// message, live or from the history, turns them into sent ones by its key.

import { face } from "./page.js";
import { show } from "./text.js";

const RUN = 5 * 60_000; // milliseconds in which messages of one author stand together
const NEAR = 80; // pixels from the beginning or the end that count as being there
const MOST = 600; // messages on the page; a room may stay open for days
const KEPT = 400; // of them when there are too many: older ones come back by scrolling up

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayOf = (time) => new Date(time).toDateString();

/**
 * Shows the messages of a room to `me`. `loadOlder(id)` gives the page before a message; `onAgain(key)` and
 * `onDiscard(key)` are what one can do with a message that was not sent.
 */
export class Conversation {
  #elements;
  #me;
  #actions;
  #ids = []; // ascending
  #items = new Map(); // by id
  #waiting = new Map(); // by key
  #more = false;
  #isLoading = false;
  #isAtEnd = true;

  /** `elements`: list, scroller, pill, beginning, older. */
  constructor(elements, me, actions) {
    this.#elements = elements;
    this.#me = me;
    this.#actions = actions;
    const { list, scroller, pill, older } = elements;
    scroller.addEventListener("scroll", () => this.#scrolled());
    older.addEventListener("click", () => this.#loadOlder());
    pill.addEventListener("click", () => {
      this.#toEnd();
      scroller.focus();
    });
    // Whoever reads the newest goes on reading it when a keyboard opens or a banner comes.
    const observer = new ResizeObserver(() => this.#isAtEnd && this.#toEnd());
    observer.observe(scroller);
    observer.observe(list);
  }

  /** Takes the history that a subscription begins with; returns whether it joins what was shown. */
  history({ messages, more }) {
    const isFirst = this.#ids.length === 0;
    const joins = isFirst || !more || messages.some(({ id }) => this.#items.has(id));
    this.#quietly(() => {
      if (!joins) this.#clear();
      if (isFirst || !joins) this.#more = more;
      const isNew = messages.map((message) => this.#insert(message)).includes(true);
      if (isFirst || !joins || this.#isAtEnd) this.#toEnd();
      else if (isNew) this.#elements.pill.hidden = false;
    });
    this.#showBeginning();
    return joins;
  }

  /** Takes one live message. */
  add(message) {
    const wasAtEnd = this.#isAtEnd;
    if (!this.#insert(message)) return;
    if (wasAtEnd || message.author === this.#me) this.#toEnd();
    else this.#elements.pill.hidden = false;
    this.#showBeginning();
  }

  /** Shows a message that has no RECEIPT yet, or the reason why it will have none. */
  waiting({ key, text, failure }) {
    const item = this.#waiting.get(key) ?? newItem({ author: this.#me, text, sent_at: Date.now() }, true);
    item.classList.add("waiting");
    item.classList.toggle("failed", failure !== undefined);
    item.querySelector(".failure")?.remove();
    // Whoever wrote it need not hear it; a failure speaks for itself.
    this.#quietly(() => {
      if (!this.#waiting.has(key)) this.#elements.list.append(item);
      this.#waiting.set(key, item);
      this.#dress(item);
    });
    if (failure !== undefined) item.append(this.#failure(key, failure));
    this.#toEnd();
    this.#showBeginning();
  }

  /** It has its RECEIPT; its id comes with the live message. */
  confirmed(key) {
    this.#waiting.get(key)?.classList.remove("waiting", "failed");
  }

  discard(key) {
    const item = this.#waiting.get(key);
    if (!item) return;
    this.#waiting.delete(key);
    const next = item.nextElementSibling;
    item.remove();
    this.#dress(next);
    this.#showBeginning();
  }

  /** Puts a message in its place; false where it is there already. */
  #insert(message) {
    if (this.#items.has(message.id)) return false;
    let at = this.#ids.length;
    while (at > 0 && this.#ids[at - 1] > message.id) at -= 1;
    const before = this.#items.get(this.#ids[at - 1]);
    const item = this.#sent(message) ?? newItem(message, message.author === this.#me);
    this.#ids.splice(at, 0, message.id);
    this.#items.set(message.id, item);
    const old = item.nextElementSibling;
    // An element that is in its place already is not moved: it would be read out again.
    if (messageBefore(item) !== before || !item.isConnected) {
      if (before) before.after(item);
      else this.#elements.list.prepend(item);
    }
    this.#dress(item);
    this.#dress(messageAfter(item));
    this.#dress(old);
    return true;
  }

  /** The element that waited for this message. */
  #sent({ author, key, sent_at: sentAt }) {
    const item = author === this.#me ? this.#waiting.get(key) : undefined;
    if (!item) return undefined;
    this.#waiting.delete(key);
    item.classList.remove("waiting", "failed");
    item.querySelector(".failure")?.remove();
    setTime(item, sentAt);
    return item;
  }

  /** Whether a message goes on with the run before it, and whether a day begins with it. */
  #dress(item) {
    if (!item?.dataset.sent) return;
    if (isDay(item.previousElementSibling)) item.previousElementSibling.remove();
    const before = item.previousElementSibling;
    const [sent, sentBefore] = [Number(item.dataset.sent), Number(before?.dataset.sent)];
    const isSameDay = before !== null && dayOf(sent) === dayOf(sentBefore);
    const isRun = isSameDay && before.dataset.author === item.dataset.author && sent - sentBefore < RUN;
    item.classList.toggle("continued", isRun);
    if (!isSameDay) item.before(newDay(sent));
    // With a new day, "Today" has become "Yesterday".
    if (!isSameDay) for (const day of this.#elements.list.querySelectorAll(".day")) nameDay(day);
  }

  #failure(key, reason) {
    const { onAgain, onDiscard } = this.#actions;
    const failure = document.createElement("p");
    failure.className = "failure";
    failure.setAttribute("role", "alert");
    const actions = [["Send again", onAgain], ["Discard", onDiscard]].map(([label, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "plain";
      button.textContent = label;
      button.addEventListener("click", () => act(key));
      return button;
    });
    failure.append(`Not sent. ${reason} `, ...actions);
    return failure;
  }

  async #loadOlder() {
    if (this.#isLoading || !this.#more) return;
    const { scroller, older } = this.#elements;
    const oldest = this.#ids[0];
    this.#isLoading = true;
    older.textContent = "Loading older messages…";
    try {
      const page = await this.#actions.loadOlder(oldest);
      if (oldest !== this.#ids[0]) return; // it was cleared meanwhile
      const fromEnd = scroller.scrollHeight - scroller.scrollTop;
      this.#more = page.more;
      this.#quietly(() => page.messages.forEach((message) => this.#insert(message)));
      this.#showBeginning();
      scroller.scrollTop = scroller.scrollHeight - fromEnd;
    } catch {
      older.textContent = "Older messages did not come. Try again";
      return;
    } finally {
      this.#isLoading = false;
    }
    older.textContent = "Load older messages";
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#elements.scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#isAtEnd) this.#elements.pill.hidden = true;
    if (scrollTop < NEAR) this.#loadOlder();
  }

  #toEnd() {
    this.#forgetOldest();
    const { scroller, pill } = this.#elements;
    scroller.scrollTop = scroller.scrollHeight;
    this.#isAtEnd = true;
    pill.hidden = true;
  }

  #forgetOldest() {
    if (this.#ids.length <= MOST) return;
    for (const id of this.#ids.splice(0, this.#ids.length - KEPT)) {
      const item = this.#items.get(id);
      this.#items.delete(id);
      if (isDay(item.previousElementSibling)) item.previousElementSibling.remove();
      item.remove();
    }
    this.#more = true;
    this.#dress(this.#items.get(this.#ids[0]));
    this.#showBeginning();
  }

  #clear() {
    this.#ids = [];
    this.#items.clear();
    this.#elements.list.replaceChildren(...this.#waiting.values());
    for (const item of this.#waiting.values()) this.#dress(item);
  }

  #showBeginning() {
    const { list, beginning, older } = this.#elements;
    older.hidden = !this.#more;
    beginning.hidden = this.#more;
    beginning.textContent = list.childElementCount > 0 ? "The conversation begins here." : "Nobody has said anything yet. Say hello.";
  }

  /** What was said before somebody came is not read out message by message. */
  #quietly(change) {
    const { scroller } = this.#elements;
    scroller.setAttribute("aria-live", "off");
    change();
    requestAnimationFrame(() => scroller.setAttribute("aria-live", "polite"));
  }
}
