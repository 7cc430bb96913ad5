// Text of messages as parts: links and code. No DOM: whoever shows it sets text, never markup.

const PATTERN = /`([^`\n]+)`|\b(https?:\/\/[^\s<>"'`]+|mailto:[^\s<>"'`]+)/g;
const TRAILING = /[.,;:!?)\]}]+$/;

/** Splits a text into `{ kind: "text" | "code" | "link", text, href? }`. */
export function parts(text) {
  const found = [];
  let end = 0;
  const plain = (from, to) => {
    if (to > from) found.push({ kind: "text", text: text.slice(from, to) });
  };
  for (const match of text.matchAll(PATTERN)) {
    const [whole, code, url] = match;
    if (code !== undefined) {
      plain(end, match.index);
      found.push({ kind: "code", text: code });
      end = match.index + whole.length;
      continue;
    }
    // A full stop or bracket behind a link belongs to the sentence.
    const link = balanced(url.replace(TRAILING, ""), url);
    const href = safeHref(link);
    if (!href) continue;
    plain(end, match.index);
    found.push({ kind: "link", text: link, href });
    end = match.index + link.length;
  }
  plain(end, text.length);
  return found;
}

/** A closing bracket that was opened inside the link stays in it. */
function balanced(link, url) {
  const opened = link.split("(").length > link.split(")").length;
  return opened && url[link.length] === ")" ? `${link})` : link;
}

function safeHref(link) {
  try {
    const url = new URL(link);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Shows a text inside an element. */
export function show(text, element) {
  for (const part of parts(text)) {
    if (part.kind === "text") {
      element.append(part.text);
    } else if (part.kind === "code") {
      const code = document.createElement("code");
      code.textContent = part.text;
      element.append(code);
    } else {
      const link = document.createElement("a");
      link.href = part.href;
      link.rel = "noopener noreferrer";
      link.target = "_blank";
      link.textContent = part.text;
      element.append(link);
    }
  }
}

/** A hue made from a name, the same everywhere. */
export function hue(name) {
  let sum = 7;
  for (const char of name) sum = (sum * 31 + char.codePointAt(0)) % 360;
  return sum;
}
