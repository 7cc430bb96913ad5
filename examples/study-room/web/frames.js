// STOMP 1.2 frames: text to octets and back. No DOM, no socket: it runs in tests as it is.

const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c" };
const UNESCAPES = { "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\c": ":" };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const escape = (text) => String(text).replace(/[\\\n\r:]/g, (char) => ESCAPES[char]);

function unescape(text) {
  return text.replace(/\\[\s\S]?/g, (escaped) => {
    if (!(escaped in UNESCAPES)) throw new Error(`undefined escape ${escaped}`);
    return UNESCAPES[escaped];
  });
}

/** One frame as text. CONNECT is never escaped, by the specification. */
export function encodeFrame(command, headers = {}, body = "") {
  const write = command === "CONNECT" ? String : escape;
  const lines = Object.entries(headers).map(([name, value]) => `${write(name)}:${write(value)}\n`);
  if (body !== "") lines.push(`content-length:${encoder.encode(body).length}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

/** Takes the messages of a WebSocket as one stream and gives back its frames, however they are cut. */
export class FrameDecoder {
  #rest = new Uint8Array(0);

  /** Adds a message (text or ArrayBuffer); returns the frames that it completes. */
  push(data) {
    const octets = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
    const all = new Uint8Array(this.#rest.length + octets.length);
    all.set(this.#rest);
    all.set(octets, this.#rest.length);
    const frames = [];
    let start = 0;
    for (;;) {
      while (all[start] === 10 || all[start] === 13) start += 1;
      const found = readFrame(all, start);
      if (!found) break;
      frames.push(found.frame);
      start = found.end;
    }
    this.#rest = all.slice(start);
    return frames;
  }
}

function readFrame(octets, start) {
  const blank = endOfHead(octets, start);
  if (blank === undefined) return undefined;
  const [command, ...lines] = decoder.decode(octets.subarray(start, blank.head)).split(/\r?\n/);
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error("malformed header");
    const read = command === "CONNECTED" ? String : unescape;
    const name = read(line.slice(0, colon));
    // Of repeated headers the first counts.
    if (!headers.has(name)) headers.set(name, read(line.slice(colon + 1)));
  }
  const length = headers.get("content-length");
  const end = length === undefined ? octets.indexOf(0, blank.body) : blank.body + Number(length);
  if (end === -1 || end >= octets.length) return undefined;
  if (octets[end] !== 0) throw new Error("no NUL behind the body");
  const body = decoder.decode(octets.subarray(blank.body, end));
  return { frame: { command, headers, body }, end: end + 1 };
}

/** Where the head ends and the body begins; undefined while the blank line has not come. */
function endOfHead(octets, start) {
  for (let at = octets.indexOf(10, start); at !== -1; at = octets.indexOf(10, at + 1)) {
    const head = octets[at - 1] === 13 ? at - 1 : at;
    if (octets[at + 1] === 10) return { head, body: at + 2 };
    if (octets[at + 1] === 13 && octets[at + 2] === 10) return { head, body: at + 3 };
  }
  return undefined;
}
