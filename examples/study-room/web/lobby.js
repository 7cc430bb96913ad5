// The lobby: all rooms, and making a new one.

import * as api from "./api.js";
import { complain, enterPage, leave } from "./page.js";

const list = document.querySelector("#rooms");
const empty = document.querySelector("#empty");
const problem = document.querySelector("#problem");
const dialog = document.querySelector("dialog");
const form = dialog.querySelector("form");
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

await enterPage();
await refresh();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});

for (const button of document.querySelectorAll(".new-room")) {
  button.addEventListener("click", () => {
    form.reset();
    clearErrors();
    dialog.showModal();
  });
}
dialog.querySelector("#cancel").addEventListener("click", () => dialog.close());

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  const submit = form.querySelector("[type=submit]");
  submit.disabled = true;
  try {
    const room = await api.createRoom(form.elements.name.value, form.elements.subject.value);
    location.assign(`/rooms/${encodeURIComponent(room.id)}`);
  } catch (error) {
    submit.disabled = false;
    const field = error.field ?? "name";
    complain(document.querySelector(`#${field}-error`), error.message);
    form.elements[field].setAttribute("aria-invalid", "true");
    form.elements[field].focus();
  }
});

function clearErrors() {
  for (const field of ["name", "subject"]) {
    complain(document.querySelector(`#${field}-error`), "");
    form.elements[field].removeAttribute("aria-invalid");
  }
}

async function refresh() {
  try {
    const { rooms } = await api.rooms();
    list.replaceChildren(...rooms.map(tile));
    list.hidden = rooms.length === 0;
    empty.hidden = rooms.length > 0;
    complain(problem, "");
  } catch (error) {
    if (error.status === 401) leave("logged-out");
    complain(problem, error.message);
  }
}

function tile(room) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/rooms/${encodeURIComponent(room.id)}`;
  link.className = "tile";
  const name = document.createElement("h2");
  name.textContent = room.name;
  const subject = document.createElement("p");
  subject.textContent = room.subject;
  subject.hidden = room.subject === "";
  const activity = document.createElement("p");
  activity.className = "quiet";
  activity.textContent = room.last_message_at ? `Last word ${ago(room.last_message_at)}` : "Nobody has said anything yet";
  link.append(name, subject, activity);
  item.append(link);
  return item;
}

function ago(time) {
  const seconds = (time - Date.now()) / 1000;
  for (const [unit, length] of [["day", 86_400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}
