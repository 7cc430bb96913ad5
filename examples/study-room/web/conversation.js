// What was said: days, runs of one author, own messages, and those that wait for their RECEIPT.
//
// Messages stand in the order of their ids, each once. Those that wait have no id yet and stand at the end; their own
// message, live or from the history, turns them into sent ones by its key.

import { beginDay, dayBefore, isDay, isMessage, messageAfter, messageBefore, midnight, nameDays } from "./days.js";
import { SystemLines } from "./system-lines.js";
import { failureOf, messageItem, setTime } from "./text.js";

const RUN = 5 * 60_000; // milliseconds in which messages of one author stand together
const NEAR = 80; // pixels from the beginning or the end that count as being there
const MOST = 600; // messages on the page; a room may stay open for days
const KEPT = 400; // of them when there are too many: older ones come back by scrolling up

/**
 * Shows the messages of a room to `me`. `loadOlder(id)` gives the page before a message; `whatToDo(failure)` the actions for
 * one that was not sent: pairs of a label and a function of its key.
 */
export class Conversation {
  #elements;
  #me;
  #actions;
  #ids = []; // ascending
  #items = new Map(); // by id
  #waiting = new Map(); // by key
  #lines;
  #more = false;
  #isLoading = false;
  #mayLoad = true; // after a failure only when asked
  #isAtEnd = true;

  /** `elements`: list, scroller, pill, beginning, older. */
  constructor(elements, me, actions) {
    this.#elements = elements;
    this.#me = me;
    this.#actions = actions;
    const { list, scroller, pill, older } = elements;
    this.#lines = new SystemLines(list);
    scroller.addEventListener("scroll", () => this.#scrolled());
    older.addEventListener("click", () => this.#loadOlder());
    pill.addEventListener("click", () => this.#toEnd());
    pill.addEventListener("click", () => scroller.focus());
    // Whoever reads the newest goes on reading it when a keyboard opens or a banner comes.
    const observer = new ResizeObserver(() => this.#isAtEnd && this.#toEnd());
    observer.observe(scroller);
    observer.observe(list);
  }

  /** Takes the history that a subscription begins with; returns whether it joins what was shown. */
  history({ messages, more }) {
    const isFirst = this.#ids.length === 0;
    const joins = isFirst || !more || messages.some(({ id }) => this.#items.has(id));
    this.#mayLoad = true;
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

  /** Takes who came or went: it stands behind all that was sent, and nobody is called for it. */
  system(event) {
    const end = this.#end();
    this.#quietly(() => this.#lines.add(event, end));
    this.#dress(this.#waiting.values().next().value);
  }

  /** Shows a message that has no RECEIPT yet, or with `failure` the reason why it will have none. */
  waiting({ key, text, failure }) {
    const known = this.#waiting.get(key);
    const item = known ?? messageItem({ author: this.#me, text, sent_at: Date.now() }, this.#me);
    item.classList.add("waiting");
    this.#settle(item, failure && failureOf(failure, key, this.#actions.whatToDo(failure)));
    if (known) return;
    this.#waiting.set(key, item);
    // Whoever wrote it need not hear it.
    this.#quietly(() => this.#elements.list.append(item));
    this.#dress(item);
    this.#showBeginning();
    this.#toEnd();
  }

  /** It has its RECEIPT; its id comes with the live message. */
  confirmed(key) {
    this.#waiting.get(key)?.classList.remove("waiting");
  }

  discard(key) {
    const item = this.#waiting.get(key);
    if (!item) return;
    this.#waiting.delete(key);
    const next = messageAfter(item);
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
    const item = this.#sent(message) ?? messageItem(message, this.#me);
    this.#ids.splice(at, 0, message.id);
    this.#items.set(message.id, item);
    const old = item.nextElementSibling;
    // An element that is in its place already is not moved: it would be read out again.
    if (!item.isConnected || messageBefore(item) !== before) {
      const end = this.#end(item);
      if (this.#ids.at(-1) === message.id) this.#elements.list.insertBefore(item, (end && dayBefore(end)) ?? end);
      else before ? before.after(item) : this.#elements.list.prepend(item);
    }
    for (const each of [item, messageAfter(item), old]) this.#dress(each);
    return true;
  }

  /** What all that was sent stands before: what waits, but for `item`; null where nothing waits. */
  #end(item) {
    return [...this.#waiting.values()].find((each) => each !== item && each.isConnected) ?? null;
  }

  /** The element that waited for this message. */
  #sent({ author, key, sent_at: sentAt }) {
    const item = author === this.#me ? this.#waiting.get(key) : undefined;
    if (!item) return undefined;
    this.#waiting.delete(key);
    item.classList.remove("waiting");
    this.#settle(item, undefined);
    setTime(item, sentAt);
    return item;
  }

  #settle(item, failure) {
    item.querySelector(".failure")?.remove();
    item.classList.toggle("failed", failure !== undefined);
    if (failure) item.append(failure);
  }

  /** Whether a message goes on with the run before it, and whether a day begins with it. */
  #dress(item) {
    if (!isMessage(item)) return;
    const before = messageBefore(item);
    const [sent, sentBefore] = [Number(item.dataset.sent), Number(before?.dataset.sent)];
    const isSameDay = before !== undefined && midnight(sent) === midnight(sentBefore);
    const day = dayBefore(item);
    if (isSameDay) day?.remove();
    const follows = isSameDay && item.previousElementSibling === before;
    const isRun = follows && before.dataset.author === item.dataset.author && sent - sentBefore < RUN;
    item.classList.toggle("continued", isRun);
    // A name that is not seen is no place to stop at.
    if (item.querySelector("a.author")) item.querySelector("a.author").tabIndex = isRun ? -1 : 0;
    if (isSameDay || day) return;
    beginDay(item);
    nameDays(this.#elements.list);
  }

  async #loadOlder() {
    if (this.#isLoading || !this.#more) return;
    const { scroller, older } = this.#elements;
    const oldest = this.#ids[0];
    this.#isLoading = true;
    older.textContent = "Loading older messages…";
    try {
      const { messages, more } = await this.#actions.loadOlder(oldest);
      this.#mayLoad = true;
      // The beginning may be another by now: then it is asked for again.
      if (oldest === this.#ids[0]) {
        const fromEnd = scroller.scrollHeight - scroller.scrollTop;
        this.#more = more;
        this.#quietly(() => messages.forEach((message) => this.#insert(message)));
        this.#showBeginning();
        scroller.scrollTop = scroller.scrollHeight - fromEnd;
      }
      older.textContent = "Load older messages";
    } catch {
      this.#mayLoad = false;
      older.textContent = "Older messages did not come. Try again";
    }
    this.#isLoading = false;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#elements.scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#isAtEnd) this.#elements.pill.hidden = true;
    if (scrollTop < NEAR && this.#mayLoad) this.#loadOlder();
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
    this.#lines.forgetBefore(this.#items.get(this.#ids[0]));
    this.#dress(this.#items.get(this.#ids[0]));
    this.#showBeginning();
  }

  #clear() {
    this.#ids = [];
    this.#items.clear();
    this.#lines.forgetBefore();
    this.#elements.list.replaceChildren(...this.#waiting.values());
    for (const item of this.#waiting.values()) this.#dress(item);
  }

  #showBeginning() {
    const { beginning, older } = this.#elements;
    older.hidden = !this.#more;
    beginning.hidden = this.#more;
    const isEmpty = this.#ids.length + this.#waiting.size === 0;
    beginning.textContent = isEmpty ? "Nobody has said anything yet. Say hello." : "The conversation begins here.";
  }

  /** What was said before somebody came is not read out message by message. */
  #quietly(change) {
    const { scroller } = this.#elements;
    scroller.ariaLive = "off";
    change();
    requestAnimationFrame(() => (scroller.ariaLive = "polite"));
  }
}
