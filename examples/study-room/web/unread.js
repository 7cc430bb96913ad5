// How many conversations have something unread, beside the link to them in the header of every page.

import { countInWords, Inbox } from "./inbox.js";

/** Keeps the number true while `client` is connected; gives back the inbox that it counts. */
export function countUnread(client, myId) {
  const link = document.querySelector("#messages-link");
  const badge = link.querySelector(".badge");
  const inbox = new Inbox(myId);
  inbox.addEventListener("change", () => {
    const { unread } = inbox;
    badge.hidden = unread === 0;
    badge.textContent = countInWords(unread);
    link.setAttribute("aria-label", unread === 0 ? "Messages" : `Messages, ${unread} unread`);
  });
  // First the queue, then the list: what comes in between is in the list already, and counts once by its id.
  client.subscribe("/user/queue/direct", ({ body }) => {
    const event = JSON.parse(body);
    if (event.type === "message") inbox.message(event.message);
    if (event.type === "read") inbox.read(event);
  });
  client.subscribe("/app/direct", ({ body }) => inbox.load(JSON.parse(body).conversations));
  return inbox;
}
