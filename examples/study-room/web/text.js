// Text of messages as parts: links and code. Whoever shows it sets text, never markup.

const PATTERN = /```(?:[\w+#-]*\n)?([\s\S]+?)\n?```|`([^`\n]+)`|\b((?:https?:\/\/|mailto:)[^\s<>"`]+)/gi;
const TRAILING = /[.,;:!?'’”»)\]}。，、]+$/u;
const SAFE = new Set(["http:", "https:", "mailto:"]);

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
    const link = document.createElement("a");
    link.href = href;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    link.textContent = text;
    return link;
  }
  const code = document.createElement("code");
  code.textContent = text;
  if (kind === "code") return code;
  const block = document.createElement("pre");
  block.append(code);
  return block;
}
