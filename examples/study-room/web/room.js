// One room: puts connection, conversation and composer together.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection-banner.js";
import { Conversation } from "./conversation.js";
import { faultOf, isFinal } from "./limits.js";
import { Outbox } from "./outbox.js";
import { enterPage, leave } from "./page.js";
import { StompClient } from "./stomp.js";

const roomId = decodeURIComponent(location.pathname.split("/").pop());
const byId = (id) => document.getElementById(id);

const me = await enterPage();
const room = await findRoom();
if (room) enter();

async function findRoom() {
  try {
    return await api.room(roomId);
  } catch (error) {
    if (error.status === 401) leave("token-expired");
    else explain(error);
    return undefined;
  }
}

function explain({ status, message }) {
  const isUnknown = status === 404;
  const title = isUnknown ? "No such room" : "This room cannot be opened";
  document.title = `${title} · Study room`;
  byId("room-name").textContent = title;
  byId("missing-why").textContent = isUnknown
    ? "There is no room at this address. The link may have lost a piece on its way."
    : message;
  byId("missing").hidden = false;
}

function enter() {
  document.title = `${room.name} · Study room`;
  byId("room-name").textContent = room.name;
  byId("room-subject").textContent = room.subject;
  byId("conversation").hidden = false;
  byId("composer").hidden = false;

  const banner = new ConnectionBanner(byId("banner"));
  const outbox = new Outbox(roomId, me.name);
  const client = new StompClient(`${location.origin.replace(/^http/, "ws")}/ws`, api.isLoggedIn);
  const composer = new Composer(byId("composer"), `${me.name}:${roomId}`, (text) => send(outbox.add(text)));
  const elements = { list: "messages", scroller: "log", pill: "pill", beginning: "beginning", older: "older" };
  const conversation = new Conversation(
    Object.fromEntries(Object.entries(elements).map(([name, id]) => [name, byId(id)])),
    me.name,
    { loadOlder: (id) => api.messagesBefore(roomId, id), whatToDo },
  );

  // The history comes whenever the subscription begins anew; where it goes on, what was missed comes message by message.
  const heard = ({ body }) => {
    const event = JSON.parse(body);
    if (event.type === "history") {
      event.messages.forEach(settled);
      banner.back(conversation.history(event));
    } else if (event.type === "message") {
      settled(event.message);
      conversation.add(event.message);
    }
  };
  client.subscribe(`/topic/rooms/${roomId}/chat`, heard, () => banner.back(true));
  client.addEventListener("state", ({ detail: state }) => {
    if (state === "connecting") banner.connecting();
    if (state === "reconnecting") banner.reconnecting();
    if (state === "connected") outbox.entries.filter(({ failure }) => failure === undefined).forEach(send);
    if (state === "ended") ended(client.reason);
  });
  client.addEventListener("refused", ({ detail: error }) => banner.failed(error.message));

  // A page that the browser keeps in its cache has no connection; it comes back with the page.
  addEventListener("pagehide", () => client.close());
  addEventListener("pageshow", ({ persisted }) => persisted && client.open());

  outbox.entries.forEach((entry) => conversation.waiting(entry));
  client.open();
  // On a touch screen it would open the keyboard before anything is read.
  if (matchMedia("(hover: hover)").matches) composer.focus();

  async function send(entry) {
    const { key, text } = entry;
    // Kept from before, or put there by other means: the server would end the connection for one that is far too long.
    const fault = faultOf(text);
    if (fault) outbox.fail(key, fault);
    conversation.waiting(entry);
    if (fault) return;
    try {
      await client.send(`/app/rooms/${roomId}/chat`, { text, key }, key);
      outbox.remove(key);
      conversation.confirmed(key);
    } catch (error) {
      // Without a connection it waits and goes out with the next one; the key makes that safe.
      if (error.code === "offline" || !outbox.find(key)) return;
      outbox.fail(key, { code: error.code, message: error.message });
      conversation.waiting(entry);
    }
  }

  /** Our own message has come back: it is kept, whether its RECEIPT came or not. */
  function settled({ author, key }) {
    if (author === me.name) outbox.remove(key);
  }

  /** The same message would be refused again: then it has to be changed. */
  function whatToDo(failure) {
    return [isFinal(failure) ? ["Edit", edit] : ["Send again", sendAgain], ["Discard", discard]];
  }

  /** Back into the field; once it is sent it is another message, with a key of its own. */
  function edit(key) {
    const { text } = outbox.find(key);
    discard(key);
    composer.edit(text);
  }

  function sendAgain(key) {
    outbox.fail(key, undefined);
    send(outbox.find(key));
    composer.focus();
  }

  function discard(key) {
    outbox.remove(key);
    conversation.discard(key);
    composer.focus();
  }

  function ended(reason) {
    if (reason === "logged-out") banner.failed("You were logged out elsewhere");
    else if (reason === "token-expired") banner.failed("Your session has ended");
    else if (reason !== "closed") banner.failed("The server has ended this connection. Reload the page to come back.");
    if (reason === "logged-out" || reason === "token-expired") leave(reason);
  }
}
