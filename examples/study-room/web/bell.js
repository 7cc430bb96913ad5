// The bell in the header of every page: how many notifications are unread, and the list of them.

import * as api from "./api.js";
import { countInWords } from "./inbox.js";
import { mailboxOf } from "./notifications.js";
import { complain } from "./page.js";
import { face, made } from "./text.js";

const WORDS = {
  entered: ({ by, room_name: name }) => `${by} entered your room ${name}`,
  mention: ({ by, room_name: name }) => `${by} mentioned you in ${name}`,
};
const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

/** Shows the bell of `me`; `client` is the page's STOMP client, if it has one. */
export function showBell(me, client) {
  const slot = document.querySelector("#bell");
  const { button, badge, panel, all, list, nothing, problem, said } = bell();
  slot.replaceChildren(button, panel, said);
  slot.hidden = false;
  const mailbox = mailboxOf(me, client);
  const items = new Map(); // by id: what is there stays itself, and keeps the focus

  // It is shown as read when the server says so: here and in the other tabs.
  const acknowledge = async (which) => {
    try {
      await api.acknowledge(which);
      complain(problem, "");
    } catch (error) {
      complain(problem, error.message);
    }
  };
  const item = (notification) => {
    const known = items.get(notification.id);
    if (known) return known;
    const fresh = entry(notification);
    fresh.querySelector("a").addEventListener("click", () => acknowledge({ ids: [notification.id] }));
    return fresh;
  };

  mailbox.addEventListener("change", () => {
    const { unread, read } = mailbox;
    const count = unread.length;
    badge.hidden = count === 0;
    badge.textContent = countInWords(count);
    button.setAttribute("aria-label", count === 0 ? "Notifications" : `Notifications, ${countInWords(count)} unread`);
    all.hidden = count === 0;
    nothing.hidden = count + read.length > 0;
    const shown = [...unread, ...read].map((notification) => [notification.id, item(notification)]);
    items.clear();
    for (const [id, element] of shown) items.set(id, element);
    for (const { id } of unread) mark(items.get(id), true);
    for (const { id } of read) mark(items.get(id), false);
    arrange(list, [...items.values()]);
  });
  mailbox.addEventListener("arrived", ({ detail }) => (said.textContent = sentence(detail)));
  all.addEventListener("click", () => {
    const [newest] = mailbox.unread;
    if (newest) acknowledge({ up_to: newest.id });
    // The button goes with the last unread one, and a focus on it would be lost.
    panel.focus();
  });
  panel.addEventListener("toggle", ({ newState }) => {
    button.setAttribute("aria-expanded", String(newState === "open"));
    if (newState === "open") panel.focus();
  });
}

function bell() {
  const button = made("button", "tool");
  button.type = "button";
  button.setAttribute("popovertarget", "notifications");
  button.setAttribute("aria-label", "Notifications");
  button.setAttribute("aria-expanded", "false");
  const badge = made("span", "badge");
  badge.hidden = true;
  button.append(icon(), badge);

  const panel = made("section", "notifications");
  Object.assign(panel, { id: "notifications", popover: "auto", tabIndex: -1 });
  panel.setAttribute("aria-labelledby", "notifications-title");
  const title = made("h2", "", "Notifications");
  title.id = "notifications-title";
  const all = made("button", "plain", "Mark all as read");
  Object.assign(all, { type: "button", hidden: true });
  const heading = made("div", "heading");
  heading.append(title, all);
  const list = made("ul", "");
  list.setAttribute("aria-labelledby", "notifications-title");
  const nothing = made("p", "quiet", "Nothing new. You hear here when somebody mentions you or enters a room of yours.");
  const problem = made("p", "error");
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  panel.append(heading, problem, nothing, list);

  const said = made("p", "unseen");
  said.setAttribute("role", "status");
  return { button, badge, panel, all, list, nothing, problem, said };
}

/** Without markup in a text: the page's security policy takes none. */
function icon() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", width: 24, height: 24, "aria-hidden": true })) svg.setAttribute(name, value);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4M12 5V3.5");
  svg.append(path);
  return svg;
}

function entry(notification) {
  const { payload, at } = notification;
  const link = made("a", "entry");
  link.href = payload.room === undefined ? "/rooms" : `/rooms/${encodeURIComponent(payload.room)}`;
  const words = made("span", "words");
  const what = made("span", "what", sentence(notification));
  what.dir = "auto";
  words.append(what);
  if (payload.text) {
    const text = made("span", "quote", payload.text);
    text.dir = "auto";
    words.append(text);
  }
  const time = made("time", "", when.format(at));
  time.dateTime = new Date(at).toISOString();
  words.append(time);
  link.append(face(payload.by ?? "?"), words, made("span", "unseen state"));
  const item = made("li", "");
  item.append(link);
  return item;
}

function mark(item, isUnread) {
  item.classList.toggle("fresh", isUnread);
  item.querySelector(".state").textContent = isUnread ? "unread" : "";
}

function arrange(list, items) {
  if (items.length === list.children.length && items.every((item, at) => item === list.children[at])) return;
  const focused = document.activeElement;
  list.replaceChildren(...items);
  if (list.contains(focused)) focused.focus();
}

/** A kind that a newer server knows is told all the same. */
function sentence({ kind, payload }) {
  return WORDS[kind]?.(payload) ?? `${payload.by ?? "Somebody"} has news for you`;
}
