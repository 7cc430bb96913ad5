// Direct messages: the list of conversations, and the one that is open, if any.

import * as api from "./api.js";
import { showBell } from "./bell.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection-banner.js";
import { newClient } from "./connection.js";
import { Conversation } from "./conversation.js";
import { showInbox } from "./inbox-list.js";
import { Outbox } from "./outbox.js";
import { enterPage, leave } from "./page.js";
import { Sending } from "./sending.js";
import { countUnread } from "./unread.js";

const openId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const byId = (id) => document.getElementById(id);

const me = await enterPage();
const banner = new ConnectionBanner(byId("banner"));
const client = newClient((sentence) => banner.failed(sentence));
const inbox = countUnread(client, me.id);
showBell(me, client);
let isLoaded = false;

inbox.addEventListener("change", () => {
  isLoaded = true;
  showList();
});
client.addEventListener("state", ({ detail: state }) => {
  if (state === "connecting") banner.connecting();
  if (state === "reconnecting") banner.reconnecting();
});

document.body.classList.toggle("open", openId !== "");
const other = openId === "" ? undefined : await findOther();
if (other) open();
else client.subscribe("/app/direct", () => banner.back(true));
client.open();

function showList() {
  const { conversations } = inbox;
  showInbox(byId("inbox"), conversations, openId);
  byId("nobody").hidden = !isLoaded || conversations.length > 0;
  byId("choose").hidden = openId !== "" || conversations.length === 0;
}

async function findOther() {
  try {
    return (await api.direct(openId)).with;
  } catch (error) {
    if (error.status === 401) leave("token-expired");
    byId("missing-why").textContent = error.status === 404 ? `${error.message} The link may have lost a piece on its way.` : error.message;
    byId("missing").hidden = false;
    byId("with").textContent = "Nobody to write to";
    return undefined;
  }
}

function open() {
  document.title = `${other.name} · Study room`;
  byId("with").textContent = other.name;
  byId("conversation").hidden = false;
  byId("composer").hidden = false;

  const sending = new Sending(client, `/app/direct/${openId}`, new Outbox(`direct:${openId}`, me.name), me.name);
  const composer = new Composer(byId("composer"), `${me.name}:direct:${openId}`, (text) => sending.say(text));
  const elements = { list: "messages", scroller: "log", pill: "pill", beginning: "beginning", older: "older" };
  const conversation = new Conversation(
    Object.fromEntries(Object.entries(elements).map(([name, id]) => [name, byId(id)])),
    me.name,
    { loadOlder: async (id) => ofTwo(await api.directBefore(openId, id)), whatToDo: (failure) => sending.whatToDo(failure) },
  );
  Object.assign(sending, { conversation, composer });

  client.subscribe("/user/queue/direct", ({ body }) => {
    const { type, message } = JSON.parse(body);
    if (type !== "message" || ![message.author_id, message.recipient_id].includes(openId)) return;
    sending.settled(message);
    conversation.add(withoutLink(message));
    markRead();
  });
  client.subscribe(`/app/direct/${openId}`, ({ body }) => {
    const page = ofTwo(JSON.parse(body));
    page.messages.forEach((message) => sending.settled(message));
    banner.back(conversation.history(page));
    markRead();
  });
  document.addEventListener("visibilitychange", markRead);
  inbox.addEventListener("change", markRead);
  sending.restore();
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

/** What is on a page that somebody looks at is read. */
function markRead() {
  const shown = inbox.conversations.find(({ id }) => id === openId);
  if (document.hidden || !shown || shown.unread === 0) return;
  const upTo = shown.last_id;
  inbox.read({ with: openId, up_to: upTo });
  // Where it does not come through, the next message or the next visit says it again.
  client.send(`/app/direct/${openId}/read`, { up_to: upTo }).catch(() => {});
}

function ofTwo({ messages, more }) {
  return { messages: messages.map(withoutLink), more };
}

/** The name of the other would lead to where one is. */
function withoutLink({ author_id: _, ...message }) {
  return message;
}
