// What was said: days, runs of one author, own messages, and those that wait for their RECEIPT.

import { hue, show } from "./text.js";

const RUN = 5 * 60 * 1000; // messages of one author within this time stand together
const NEAR_END = 80; // pixels from the end that still count as reading the newest

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** Shows messages in `list`. Events: `again` and `discard` with a key, `older` when the beginning comes into view. */
export class Conversation extends EventTarget {
  #list;
  #scroller;
  #pill;
  #me;
  #ids = new Set();
  #more = false;

  constructor({ list, scroller, pill }, me) {
    super();
    this.#list = list;
    this.#scroller = scroller;
    this.#pill = pill;
    this.#me = me;
    scroller.addEventListener("scroll", () => {
      if (this.#isAtEnd()) pill.hidden = true;
      if (scroller.scrollTop < NEAR_END && this.#more) this.dispatchEvent(new Event("older"));
    });
    pill.addEventListener("click", () => this.#toEnd());
  }

  get oldestId() {
    return Number(this.#list.querySelector("[data-id]")?.dataset.id ?? 0);
  }

  /** Takes the history that a subscription begins with; returns whether it joins what was shown already. */
  history({ messages, more }) {
    const joins = this.#ids.size === 0 || !more || messages.some((message) => this.#ids.has(message.id));
    // A history is not read out message by message.
    this.#list.setAttribute("aria-live", "off");
    if (!joins) this.#clear();
    if (this.#ids.size === 0) this.#more = more;
    const stay = this.#isAtEnd();
    for (const message of messages) this.#insert(message);
    if (stay) this.#toEnd();
    requestAnimationFrame(() => this.#list.setAttribute("aria-live", "polite"));
    return joins;
  }

  /** Takes messages before the oldest one and keeps the place that one reads. */
  older({ messages, more }) {
    this.#more = more;
    const before = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    this.#list.setAttribute("aria-live", "off");
    for (const message of messages) this.#insert(message);
    this.#scroller.scrollTop = this.#scroller.scrollHeight - before;
    requestAnimationFrame(() => this.#list.setAttribute("aria-live", "polite"));
  }

  /** Takes one live message. */
  add(message) {
    const stay = this.#isAtEnd();
    if (!this.#insert(message)) return;
    if (stay || message.author === this.#me) this.#toEnd();
    else this.#pill.hidden = false;
  }

  /** Shows a message that has no RECEIPT yet. */
  waiting({ key, text, failure }) {
    this.#find(key)?.remove();
    const item = this.#item({ author: this.#me, text, sent_at: Date.now() });
    item.classList.add("own", "waiting");
    item.dataset.key = key;
    this.#list.append(item);
    this.#dress(item);
    if (failure) this.failed(key, failure);
    this.#toEnd();
  }

  /** It is in the database; its id comes with the live message. */
  confirmed(key) {
    this.#find(key)?.classList.remove("waiting");
  }

  /** Says why a message was not sent, and offers what can be done. */
  failed(key, reason) {
    const item = this.#find(key);
    if (!item) return;
    item.classList.add("failed");
    item.querySelector(".failure")?.remove();
    const failure = document.createElement("p");
    failure.className = "failure";
    failure.setAttribute("role", "alert");
    failure.append(`Not sent. ${reason} `, this.#button("Send again", "again", key), this.#button("Discard", "discard", key));
    item.append(failure);
  }

  discard(key) {
    this.#find(key)?.remove();
  }

  #button(label, event, key) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = label;
    button.addEventListener("click", () => this.dispatchEvent(new CustomEvent(event, { detail: key })));
    return button;
  }

  #find(key) {
    return this.#list.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  /** Puts a message in its place by id; false where it is there already. */
  #insert(message) {
    if (this.#ids.has(message.id)) return false;
    this.#ids.add(message.id);
    if (message.author === this.#me) this.#find(message.key)?.remove();
    const item = this.#item(message);
    item.dataset.id = message.id;
    item.classList.toggle("own", message.author === this.#me);
    const all = [...this.#list.querySelectorAll("[data-id]")];
    const before = all.findLast((other) => Number(other.dataset.id) < message.id);
    const next = before ? before.nextElementSibling : this.#list.firstElementChild;
    this.#list.insertBefore(item, next);
    this.#dress(item);
    const following = all.find((other) => Number(other.dataset.id) > message.id);
    if (following) this.#dress(following);
    return true;
  }

  #item({ author, text, sent_at: sentAt }) {
    const item = document.createElement("li");
    item.className = "message";
    Object.assign(item.dataset, { author, sent: sentAt });
    const head = document.createElement("p");
    head.className = "author";
    head.textContent = author;
    head.dataset.hue = Math.floor(hue(author) / 30);
    const body = document.createElement("div");
    body.className = "text";
    show(text, body);
    const time = document.createElement("time");
    time.dateTime = new Date(sentAt).toISOString();
    time.title = whole.format(sentAt);
    time.textContent = clock.format(sentAt);
    item.append(head, body, time);
    return item;
  }

  /** Whether a message goes on with the run before it, and whether a day begins with it. */
  #dress(item) {
    let before = item.previousElementSibling;
    if (before?.classList.contains("day")) {
      before.remove();
      before = item.previousElementSibling;
    }
    const [sent, sentBefore] = [Number(item.dataset.sent), Number(before?.dataset.sent ?? 0)];
    const sameDay = before && day.format(sent) === day.format(sentBefore);
    item.classList.toggle("continued", Boolean(sameDay) && before.dataset.author === item.dataset.author && sent - sentBefore < RUN);
    if (!sameDay) {
      const separator = document.createElement("li");
      separator.className = "day";
      separator.textContent = day.format(sent);
      this.#list.insertBefore(separator, item);
    }
  }

  #clear() {
    this.#ids.clear();
    for (const item of this.#list.querySelectorAll("[data-id], .day")) item.remove();
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#pill.hidden = true;
  }
}
