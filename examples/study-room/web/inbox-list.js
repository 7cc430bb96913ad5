// The list of conversations: with whom, the last words, and what is unread.

import { countInWords } from "./inbox.js";
import { face, made } from "./text.js";

const SHOWN = 120; // characters of the last message: more than a line holds

/** Shows `conversations` in `list`; the one with `openId` is the one that is open. Items that are there stay themselves. */
export function showInbox(list, conversations, openId) {
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = conversations.map((conversation) => dressed(known.get(conversation.id) ?? newItem(conversation), conversation, openId));
  if (items.length === list.children.length && items.every((item, at) => item === list.children[at])) return;
  const focused = document.activeElement;
  list.replaceChildren(...items);
  if (list.contains(focused)) focused.focus();
}

function newItem({ id, name }) {
  const item = document.createElement("li");
  item.dataset.id = id;
  const link = made("a", "entry");
  link.href = `/messages/${encodeURIComponent(id)}`;
  const [who, last] = [made("span", "who", name), made("span", "last")];
  who.dir = last.dir = "auto";
  const words = made("span", "words");
  words.append(who, last);
  const count = made("span", "badge");
  const spoken = made("span", "unseen");
  link.append(face(name), words, count, spoken);
  item.append(link);
  return item;
}

function dressed(item, { id, name, last_author: author, last_text: text, unread }, openId) {
  const link = item.querySelector("a");
  if (id === openId) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  link.classList.toggle("fresh", unread > 0);
  link.querySelector(".last").textContent = `${author === name ? "" : "You: "}${[...text].slice(0, SHOWN).join("")}`;
  link.querySelector(".badge").hidden = unread === 0;
  link.querySelector(".badge").textContent = countInWords(unread);
  link.querySelector(".unseen").textContent = unread === 0 ? "" : "unread";
  return item;
}
