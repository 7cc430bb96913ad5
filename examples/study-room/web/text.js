// How a message looks: its text as parts (links, code), its author, its time. All of it is set as text, never as markup.

const PATTERN = /\n?```(?:[\w+#-]*\n)?([\s\S]+?)\n?```\n?|`([^`\n]+)`|\b((?:https?:\/\/|mailto:)[^\s<>"`]+)/gi;
const TRAILING = /[.,;:!?'’”»)\]}。，、]+$/u;
const SAFE = new Set(["http:", "https:", "mailto:"]);

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** Splits a text into `{ kind: "text" | "code" | "block" | "link", text, href? }`. */
export function parts(text) {
  const found = [];
  let end = 0;
  const add = (part, from, to) => {
    if (from > end) found.push({ kind: "text", text: text.slice(end, from) });
    found.push(part);
    end = to;
  };
  for (const match of text.matchAll(PATTERN)) {
    const [whole, block, code, url] = match;
    const { index } = match;
    if (block !== undefined) {
      add({ kind: "block", text: block }, index, index + whole.length);
    } else if (code !== undefined) {
      add({ kind: "code", text: code }, index, index + whole.length);
    } else {
      const link = withoutTrailing(url);
      const href = safeHref(link);
      if (href) add({ kind: "link", text: link, href }, index, index + link.length);
    }
  }
  if (end < text.length) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

/** Shows a text inside an element. */
export function show(text, element) {
  for (const part of parts(text)) element.append(part.kind === "text" ? part.text : shown(part));
}

/** One or two letters that stand for a name. */
export function initials(name) {
  const words = name.split(/[\s._-]+/).filter((word) => word !== "");
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : [words[0] ?? name];
  return chosen.map((word) => [...word][0] ?? "").join("").toUpperCase();
}

/** A hue in degrees made from a name, the same everywhere. */
export function hue(name) {
  let sum = 7;
  // 137 spreads names that differ in one letter around the circle.
  for (const char of name.toLowerCase()) sum = (sum * 31 + char.codePointAt(0) * 137) % 360;
  return sum;
}

/** Initials on a colour made from the name. */
export function face(name) {
  const disc = made("span", "face", initials(name));
  disc.setAttribute("aria-hidden", "true");
  disc.style.setProperty("--hue", hue(name));
  return disc;
}

/** A message as `me` sees it. The name of another leads to what one writes to them alone. */
export function messageItem({ author, author_id: authorId, text, sent_at: sentAt }, me) {
  const item = made("li", author === me ? "message own" : "message");
  item.dataset.author = author;
  item.style.setProperty("--hue", hue(author));
  const head = made("p", "head");
  const hasLink = author !== me && authorId !== undefined;
  const name = made(hasLink ? "a" : "span", "author", author === me ? "You" : author);
  if (hasLink) {
    name.href = `/messages/${encodeURIComponent(authorId)}`;
    name.title = `Write to ${author}`;
  }
  head.append(name, made("span", "state", "Not sent yet"), made("time", ""));
  const bubble = made("div", "bubble");
  bubble.dir = "auto";
  show(text, bubble);
  item.append(face(author), head, bubble);
  setTime(item, sentAt);
  return item;
}

/** When the server took it. */
export function setTime(item, sentAt) {
  item.dataset.sent = sentAt;
  const time = item.querySelector("time");
  time.dateTime = new Date(sentAt).toISOString();
  time.title = exactly.format(sentAt);
  time.textContent = clock.format(sentAt);
}

/** Why a message was not sent, and what can be done: `actions` are pairs of a label and what to call with its key. */
export function failureOf({ message }, key, actions) {
  const failure = made("p", "failure", `Not sent. ${message} `);
  failure.setAttribute("role", "alert");
  for (const [label, act] of actions) {
    const button = made("button", "plain", label);
    button.type = "button";
    button.addEventListener("click", () => act(key));
    failure.append(button);
  }
  return failure;
}

/** A full stop or bracket behind a link belongs to the sentence; a bracket that was opened inside it does not. */
function withoutTrailing(url) {
  let link = url.replace(TRAILING, "");
  while (url[link.length] === ")" && count(link, "(") > count(link, ")")) link += ")";
  return link;
}

function count(text, char) {
  return text.split(char).length - 1;
}

function safeHref(link) {
  if (!URL.canParse(link)) return undefined;
  const url = new URL(link);
  if (url.protocol === "mailto:" && !url.pathname.includes("@")) return undefined;
  return SAFE.has(url.protocol) ? url.href : undefined;
}

function shown({ kind, text, href }) {
  if (kind === "link") {
    const link = made("a", "", text);
    link.href = href;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    return link;
  }
  const code = made("code", "", text);
  if (kind === "code") return code;
  const block = made("pre", "");
  block.append(code);
  return block;
}

/** An element with its class and text. */
export function made(tag, className, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
