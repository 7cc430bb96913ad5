// The lobby: all rooms, the liveliest first, and making a new one.

import * as api from "./api.js";
import { complain, complainOf, enterPage, forgive, leave } from "./page.js";

const REFRESH = 30_000; // milliseconds between looks at the list, while somebody looks at it
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

const list = document.querySelector("#rooms");
const empty = document.querySelector("#empty");
const problem = document.querySelector("#problem");
const dialog = document.querySelector("dialog");
const form = dialog.querySelector("form");
const submit = form.querySelector("[type=submit]");
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

await enterPage();
await refresh();
setInterval(refresh, REFRESH);
document.addEventListener("visibilitychange", refresh);

for (const button of document.querySelectorAll(".new-room")) {
  button.addEventListener("click", () => {
    form.reset();
    forgive(form);
    dialog.showModal();
  });
}

dialog.querySelector("#cancel").addEventListener("click", () => dialog.close());
addEventListener("pageshow", () => (submit.disabled = false));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (submit.disabled) return;
  forgive(form);
  const { name, subject } = form.elements;
  if (name.value.trim() === "") {
    fail([{ field: "name", message: "Give the room a name." }]);
    return;
  }
  submit.disabled = true;
  try {
    const room = await api.createRoom(name.value.trim(), subject.value.trim());
    location.assign(pathOf(room));
  } catch (error) {
    submit.disabled = false;
    if (error.status === 401) leave("token-expired");
    else fail([error, ...error.others]);
  }
});

function fail(faults) {
  complainOf(form, faults, form.querySelector("#general-error"));
}

async function refresh() {
  if (document.hidden) return;
  try {
    const { rooms } = await api.rooms();
    complain(problem, "");
    show(rooms);
  } catch (error) {
    if (error.status === 401) leave("token-expired");
    else complain(problem, error.message);
  }
}

/** Tiles that are there already stay themselves, so that a focus on one of them is not lost. */
function show(rooms) {
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = rooms.map((room) => dressed(known.get(room.id) ?? newTile(room), room));
  const isSame = items.length === list.children.length && items.every((item, at) => item === list.children[at]);
  if (!isSame) {
    const focused = document.activeElement;
    list.replaceChildren(...items);
    if (list.contains(focused)) focused.focus();
  }
  list.hidden = rooms.length === 0;
  empty.hidden = rooms.length > 0;
}

function newTile({ id }) {
  const item = document.createElement("li");
  item.dataset.id = id;
  const link = document.createElement("a");
  link.className = "tile";
  const parts = [["h2", "name"], ["p", "subject"], ["p", "activity"]].map(([tag, className]) => {
    const part = document.createElement(tag);
    part.className = className;
    part.dir = "auto";
    return part;
  });
  link.append(...parts);
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

function pathOf({ id }) {
  return `/rooms/${encodeURIComponent(id)}`;
}

function ago(time) {
  const seconds = (Date.now() - time) / 1000;
  const unit = UNITS.find(([, length]) => seconds >= length);
  return unit ? relative.format(-Math.floor(seconds / unit[1]), unit[0]) : "just now";
}
