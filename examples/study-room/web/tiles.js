// The tiles of the lobby: a room's name, what was said last, who is in, and its timer.

import { face, made } from "./text.js";
import { minutesOf, ServerClock, shownAt } from "./timer-clock.js";

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
const FACES = 3; // people that a tile shows; the others are a number
const TICK = 1_000; // milliseconds between looks at the clock

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

/** Shows rooms as tiles in `list`. What is told of a room before its tile is there waits for it. */
export class Tiles {
  #list;
  #clock = new ServerClock();
  #timers = new Map(); // by room, those that are under way
  #members = new Map(); // by room, those that have somebody in them

  constructor(list) {
    this.#list = list;
    setInterval(() => this.#showTimers(), TICK);
  }

  /** Tiles that are there already stay themselves, so that a focus on one of them is not lost. */
  show(rooms) {
    const known = new Map([...this.#list.children].map((item) => [item.dataset.id, item]));
    const items = rooms.map((room) => dressed(known.get(room.id) ?? newTile(room), room));
    const isSame = items.length === this.#list.children.length && items.every((item, at) => item === this.#list.children[at]);
    if (!isSame) {
      const focused = document.activeElement;
      this.#list.replaceChildren(...items);
      if (this.#list.contains(focused)) focused.focus();
    }
    this.#showMembers();
    this.#showTimers();
  }

  /** Takes what the server says of all timers, and later of one: `{ timers }` or a timer with its `room`. */
  setTimers(message) {
    if (message.timers) {
      this.#clock.forget();
      this.#timers.clear();
      for (const [room, timer] of Object.entries(message.timers)) this.#setTimer(room, timer);
    } else {
      this.#setTimer(message.room, message);
    }
    this.#showTimers();
  }

  /** Takes what the server says of all rooms, and later of one: `{ rooms }` or `{ room, count, names }`. */
  setOccupancy(message) {
    if (message.rooms) this.#members.clear();
    for (const { room, count, names } of message.rooms ?? [message]) {
      if (count === 0) this.#members.delete(room);
      else this.#members.set(room, { count, names });
    }
    this.#showMembers();
  }

  #setTimer(room, timer) {
    this.#clock.heard(timer.now, Date.now());
    if (timer.version < (this.#timers.get(room)?.version ?? 0)) return;
    if (timer.state === "ready") this.#timers.delete(room);
    else this.#timers.set(room, timer);
  }

  #showTimers() {
    const now = this.#clock.at(Date.now());
    for (const item of this.#list.children) {
      const timer = this.#timers.get(item.dataset.id);
      const shown = timer && shownAt(timer, now, 0);
      const place = item.querySelector(".focus");
      place.dataset.phase = shown?.phase ?? "";
      const word = timer?.state === "paused" ? "Paused" : shown?.word;
      const text = shown ? `${word} ${minutesOf(shown.left)}` : "";
      if (place.textContent !== text) place.textContent = text;
      place.title = shown ? `${shown.word}: ${minutesOf(shown.left)} left` : "";
    }
  }

  #showMembers() {
    for (const item of this.#list.children) {
      const { count, names } = this.#members.get(item.dataset.id) ?? { count: 0, names: [] };
      const place = item.querySelector(".occupancy");
      const shown = JSON.stringify([count, names]);
      if (place.dataset.shown === shown) continue;
      place.dataset.shown = shown;
      const faces = made("span", "faces");
      faces.append(...names.slice(0, FACES).map(face));
      place.replaceChildren(...(count === 0 ? [] : [faces, made("span", "", `${count} in`)]));
      const others = count > names.length ? ` and ${count - names.length} more` : "";
      place.title = names.join(", ") + others;
    }
  }
}

/** Where a room is. */
export function pathOf({ id }) {
  return `/rooms/${encodeURIComponent(id)}`;
}

function newTile({ id }) {
  const item = document.createElement("li");
  item.dataset.id = id;
  const [name, subject, activity] = [made("h2", "name"), made("p", "subject"), made("p", "activity")];
  name.dir = subject.dir = "auto";
  const live = made("p", "live");
  live.append(made("span", "occupancy"), made("span", "focus"));
  const link = made("a", "tile");
  link.append(name, subject, live, activity);
  item.append(link);
  return item;
}

function dressed(item, room) {
  item.querySelector("a").href = pathOf(room);
  item.querySelector(".name").textContent = room.name;
  item.querySelector(".subject").textContent = room.subject;
  item.querySelector(".activity").textContent = room.last_message_at === null
    ? "Nothing said yet"
    : `Last message ${ago(room.last_message_at)}`;
  return item;
}

function ago(time) {
  const seconds = (Date.now() - time) / 1000;
  const unit = UNITS.find(([, length]) => seconds >= length);
  return unit ? relative.format(-Math.floor(seconds / unit[1]), unit[0]) : "just now";
}
