// One room: puts connection, conversation, composer, members, timer and the typing line together.

import * as api from "./api.js";
import { askToBan } from "./bans.js";
import { showBell } from "./bell.js";
import { Composer } from "./composer.js";
import { ConnectionBanner } from "./connection-banner.js";
import { newClient } from "./connection.js";
import { Conversation } from "./conversation.js";
import { Members } from "./members.js";
import { Outbox } from "./outbox.js";
import { enterPage, leave } from "./page.js";
import { Sending } from "./sending.js";
import { asSheet } from "./sheets.js";
import { FocusTimer } from "./timer.js";
import { digits } from "./timer-clock.js";
import { TypingLine } from "./typing.js";
import { countUnread } from "./unread.js";

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
  showBell(me);
}

function enter() {
  document.title = `${room.name} · Study room`;
  byId("room-name").textContent = room.name;
  byId("room-subject").textContent = room.subject;
  for (const id of ["conversation", "writing", "members", "open-members", "timer", "open-timer"]) byId(id).hidden = false;

  const banner = new ConnectionBanner(byId("banner"));
  const client = newClient((sentence) => banner.failed(sentence));
  client.addEventListener("state", ({ detail: state }) => {
    if (state === "connecting") banner.connecting();
    if (state === "reconnecting") banner.reconnecting();
  });
  talk(client, banner);
  meet(client);
  keepTime(client);
  countUnread(client, me.id);
  showBell(me, client);
  client.open();
}

function talk(client, banner) {
  const sending = new Sending(client, `/app/rooms/${roomId}/chat`, new Outbox(roomId, me.name), me.name);
  const composer = new Composer(byId("composer"), `${me.name}:${roomId}`, (text) => {
    typing.sent();
    sending.say(text);
  });
  const elements = { list: "messages", scroller: "log", pill: "pill", beginning: "beginning", older: "older" };
  const conversation = new Conversation(
    Object.fromEntries(Object.entries(elements).map(([name, id]) => [name, byId(id)])),
    me.name,
    { loadOlder: (id) => api.messagesBefore(roomId, id), whatToDo: (failure) => sending.whatToDo(failure) },
  );
  Object.assign(sending, { conversation, composer });
  // One signal more or less is none that anybody misses.
  const typing = new TypingLine(byId("typing"), byId("text"), me.name, (payload) => {
    client.send(`/app/rooms/${roomId}/typing`, payload).catch(() => {});
  });

  // The history comes whenever the subscription begins anew; where it goes on, what was missed comes message by message.
  const heard = ({ body }) => {
    const event = JSON.parse(body);
    if (event.type === "history") {
      event.messages.forEach((message) => sending.settled(message));
      banner.back(conversation.history(event));
    } else if (event.type === "message") {
      sending.settled(event.message);
      typing.said(event.message.author);
      conversation.add(event.message);
    } else if (event.type === "system" && event.user !== me.id) {
      conversation.system(event);
    }
  };
  client.subscribe(`/topic/rooms/${roomId}/chat`, heard, () => banner.back(true));
  client.subscribe(`/topic/rooms/${roomId}/typing`, ({ body }) => typing.heard(JSON.parse(body)));
  sending.restore();
  // On a touch screen it would open the keyboard before anything is read.
  if (matchMedia("(hover: hover)").matches) composer.focus();
}

function meet(client) {
  const members = new Members(byId("members"), me.id, {
    setStatus: (status) => client.send("/app/status", { status }),
    onCount: (count) => byId("open-members").querySelector(".count").textContent = count,
    open: () => byId("open-members").click(),
    ban: me.is_administrator ? askToBan : undefined,
  });
  const lookAgain = client.subscribe(`/topic/rooms/${roomId}/presence`, ({ body }) => {
    if (!members.heard(JSON.parse(body))) lookAgain();
  });
  asSheet(byId("members"), byId("open-members"));
}

function keepTime(client) {
  const [word, left] = ["word", "left"].map((part) => byId("open-timer").querySelector(`.${part}`));
  const shown = (timer) => {
    document.title = [timer.title, room.name, "Study room"].filter((part) => part !== "").join(" · ");
    word.textContent = timer.word;
    left.textContent = digits(timer.left);
    byId("open-timer").classList.remove("absent");
  };
  const command = (payload) => client.send(`/app/rooms/${roomId}/timer`, payload);
  const timer = new FocusTimer(byId("timer"), room.name, command, shown);
  client.addEventListener("state", ({ detail: state }) => state === "connected" && timer.connected());
  client.subscribe(`/topic/rooms/${roomId}/timer`, ({ body }) => timer.heard(JSON.parse(body)));
  asSheet(byId("timer"), byId("open-timer"));
}
