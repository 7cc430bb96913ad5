// The lobby: all rooms, the liveliest first, and making a new one.

import * as api from "./api.js";
import { showBell } from "./bell.js";
import { newClient } from "./connection.js";
import { complain, complainOf, enterPage, forgive, leave } from "./page.js";
import { pathOf, Tiles } from "./tiles.js";
import { countUnread } from "./unread.js";

const REFRESH = 30_000; // milliseconds between looks at the list, while somebody looks at it

const list = document.querySelector("#rooms");
const empty = document.querySelector("#empty");
const problem = document.querySelector("#problem");
const dialog = document.querySelector("dialog");
const form = dialog.querySelector("form");
const submit = form.querySelector("[type=submit]");
const tiles = new Tiles(list);

const me = await enterPage();
await refresh();
const client = newClient((sentence) => complain(problem, sentence));
client.subscribe("/topic/lobby/timers", ({ body }) => tiles.setTimers(JSON.parse(body)));
client.subscribe("/topic/lobby/occupancy", ({ body }) => tiles.setOccupancy(JSON.parse(body)));
countUnread(client, me.id);
showBell(me, client);
client.open();
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
    tiles.show(rooms);
    list.hidden = rooms.length === 0;
    empty.hidden = rooms.length > 0;
  } catch (error) {
    if (error.status === 401) leave("token-expired");
    else complain(problem, error.message);
  }
}
