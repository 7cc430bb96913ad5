// Who is in the room: one entry a person, however many tabs, and the switch for what one does oneself.

import { Attendance, WORDS } from "./presence.js";
import { face, hue, made } from "./text.js";

const KEY = "F2"; // leads to the switch from anywhere; the page says so beside it
const SVG = "http://www.w3.org/2000/svg";

/**
 * Shows in `panel` who is here, `me` (an id) among them. `setStatus(status)` asks the server for another status of ours;
 * `onCount(count)` is told how many are here; `open()` shows the panel where it is out of sight. `ban(person)`, where we may do
 * that, is asked for beside each of the others.
 */
export class Members {
  #attendance = new Attendance();
  #entries = new Map(); // by user
  #me;
  #parts;
  #setStatus;
  #onCount;
  #ban;
  #shown; // what we do, by the server
  #asked; // what we want to do, until the server says so too

  constructor(panel, me, { setStatus, onCount, open, ban }) {
    const [list, choice, problem] = ["#people", "#my-status", "#status-problem"].map((part) => panel.querySelector(part));
    this.#parts = { list, choice, problem };
    this.#me = me;
    this.#setStatus = setStatus;
    this.#onCount = onCount;
    this.#ban = ban;
    choice.addEventListener("change", ({ target }) => this.#ask(target.value));
    addEventListener("keydown", (event) => {
      const hasModifier = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
      if (event.key !== KEY || hasModifier) return;
      event.preventDefault();
      const dialog = document.querySelector("dialog[open]");
      if (dialog && !dialog.contains(choice)) return;
      if (!choice.checkVisibility()) open();
      choice.querySelector(":checked")?.focus();
    });
  }

  /** Takes what the server says; false where something before it is missing. */
  heard(told) {
    if (!this.#attendance.take(told)) return false;
    // After a new beginning nothing of ours is under way any more.
    if (told.type === "snapshot") this.#asked = undefined;
    this.#showList();
    this.#showChoice();
    this.#onCount(this.#attendance.count);
    return true;
  }

  async #ask(status) {
    const { problem } = this.#parts;
    problem.hidden = true;
    this.#asked = status;
    try {
      await this.#setStatus(status);
    } catch (error) {
      if (this.#asked !== status) return;
      problem.textContent = error.code === "offline" ? "There is no connection right now. Try again in a moment." : error.message;
      problem.hidden = false;
      this.#asked = this.#shown = undefined;
      this.#showChoice();
    }
  }

  #showChoice() {
    const { choice } = this.#parts;
    const status = this.#attendance.statusOf(this.#me);
    choice.disabled = status === undefined;
    // What we chose a moment ago is not taken back by what the server said before it knew.
    if (status === this.#asked) this.#asked = undefined;
    if (this.#asked !== undefined || status === this.#shown) return;
    this.#shown = status;
    for (const input of choice.querySelectorAll("input")) input.checked = input.value === status;
  }

  /** Entries that are there already stay themselves, so that a focus on one of them is not lost. */
  #showList() {
    const people = this.#attendance.people(this.#me);
    const known = this.#entries;
    this.#entries = new Map();
    let last = null;
    for (const person of people) {
      const entry = known.get(person.user) ?? newEntry(person, this.#me, this.#ban);
      known.delete(person.user);
      dress(entry, person);
      this.#entries.set(person.user, entry);
      const isInPlace = entry.isConnected && entry.previousElementSibling === last;
      if (!isInPlace) last ? last.after(entry) : this.#parts.list.prepend(entry);
      last = entry;
    }
    for (const entry of known.values()) entry.remove();
  }
}

function newEntry({ user, name }, me, ban) {
  const entry = made("li", "person");
  entry.style.setProperty("--hue", hue(name));
  const isMe = user === me;
  const author = made(isMe ? "span" : "a", "author", name);
  author.dir = "auto";
  if (!isMe) {
    author.href = `/messages/${encodeURIComponent(user)}`;
    author.title = `Write to ${name}`;
  }
  const who = made("span", "who");
  who.append(author);
  if (isMe) who.append(made("span", "quiet", "(you)"));
  entry.append(face(name), who, made("span", "doing"));
  if (ban && !isMe) entry.append(banButton({ user, name }, ban));
  return entry;
}

function banButton(person, ban) {
  const button = made("button", "plain ban", "Ban");
  button.type = "button";
  button.setAttribute("aria-label", `Ban ${person.name}`);
  button.addEventListener("click", () => ban(person));
  return button;
}

function dress(entry, { status }) {
  if (entry.dataset.status === status) return;
  entry.dataset.status = status;
  entry.querySelector(".doing").replaceChildren(shapeOf(status), WORDS[status] ?? status);
}

/** The shape of a status, which stands in the page. */
function shapeOf(status) {
  const [shape, use] = ["svg", "use"].map((tag) => document.createElementNS(SVG, tag));
  shape.setAttribute("class", "shape");
  shape.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#shape-${status.toLowerCase()}`);
  shape.append(use);
  return shape;
}
