// One room: puts connection, conversation and composer together.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection-banner.js";
import { Conversation } from "./conversation.js";
import { Outbox } from "./outbox.js";
import { enterPage, leave } from "./page.js";
import { StompClient } from "./stomp.js";

const roomId = decodeURIComponent(location.pathname.split("/").pop());
const element = (id) => document.querySelector(id);

const me = await enterPage();
const room = await findRoom();
if (room) run();

async function findRoom() {
  try {
    return await api.room(roomId);
  } catch (error) {
    element("#room-name").textContent = error.status === 404 ? "There is no such room" : "This room cannot be opened";
    element("#room-subject").textContent = error.status === 404 ? "It may have been a wrong link." : error.message;
    element("#composer").hidden = true;
    return undefined;
  }
}

function run() {
  document.title = `${room.name} · Study room`;
  element("#room-name").textContent = room.name;
  element("#room-subject").textContent = room.subject;

  const banner = new ConnectionBanner(element("#banner"));
  const outbox = new Outbox(roomId);
  const conversation = new Conversation(
    { list: element("#messages"), scroller: element("#conversation"), pill: element("#pill") },
    me.name,
  );
  const client = new StompClient(`${location.origin.replace(/^http/, "ws")}/ws`, api.isLoggedIn);

  const send = async (entry) => {
    conversation.waiting({ key: entry.key, text: entry.text });
    try {
      await client.send(`/app/rooms/${roomId}/chat`, { text: entry.text, key: entry.key });
      outbox.remove(entry.key);
      conversation.confirmed(entry.key);
    } catch (error) {
      // Without a connection it waits and goes out with the next one; the key makes that safe.
      if (error.code === "offline") return;
      outbox.fail(entry.key, error.message);
      conversation.failed(entry.key, error.message);
    }
  };

  client.subscribe(`/topic/rooms/${roomId}/chat`, ({ body }) => {
    const event = JSON.parse(body);
    if (event.type === "history") banner.back(conversation.history(event));
    else if (event.type === "message") conversation.add(event.message);
  });
  client.addEventListener("state", ({ detail: state }) => {
    if (state === "connecting") banner.connecting();
    if (state === "reconnecting") banner.reconnecting();
    if (state === "connected") outbox.entries.filter((entry) => !entry.failure).forEach(send);
    if (state === "ended") ended(client.reason);
  });
  conversation.addEventListener("again", ({ detail: key }) => {
    const entry = outbox.entries.find((known) => known.key === key);
    if (!entry) return;
    outbox.fail(key, undefined);
    send(entry);
  });
  conversation.addEventListener("discard", ({ detail: key }) => {
    outbox.remove(key);
    conversation.discard(key);
  });

  let loading = false;
  conversation.addEventListener("older", async () => {
    if (loading) return;
    loading = true;
    try {
      conversation.older(await api.messagesBefore(roomId, conversation.oldestId));
    } catch {
      // The next scroll tries again.
    }
    loading = false;
  });

  const composer = new Composer(element("#composer"), roomId, (text) => send(outbox.add(text)));
  for (const entry of outbox.entries) conversation.waiting(entry);
  client.open();
  composer.focus();

  function ended(reason) {
    if (reason === "logged-out") {
      banner.failed("You were logged out elsewhere");
      leave("logged-out");
    } else if (reason === "refused") {
      banner.failed("The server has closed this connection. Reload the page to come back.");
    }
  }
}
