// STOMP 1.2 frames: text to octets and back. No DOM, no socket: it runs in tests as it is.
//
//   MESSAGE LF  name:value LF  …  LF  body NUL
//
// Only octets that were counted are trusted: a body may hold NULs where `content-length` says so.

/** A server that sends more without ending its frame is not ours. A full history page stays under 2 MiB. */
const LARGEST_FRAME = 4 * 1024 * 1024;

const [NUL, LF, CR] = [0, 10, 13];
const ESCAPES = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", ":": "\\c" };
const UNESCAPES = { "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\c": ":" };

const encoder = new TextEncoder();
// A byte order mark is part of what somebody wrote.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One frame as text. A body is counted in octets, so that it may hold anything. */
export function encodeFrame(command, headers = {}, body = "") {
  // CONNECT is never escaped, by the specification: servers of 1.0 must be able to read it.
  const write = command === "CONNECT" ? String : escape;
  const lines = Object.entries(headers).map(([name, value]) => `${write(name)}:${write(value)}\n`);
  if (body !== "") lines.push(`content-length:${encoder.encode(body).length}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

/** Takes the messages of a WebSocket as one stream and gives back its frames, however they are cut. */
export class FrameDecoder {
  #rest = new Uint8Array(0);

  /** Adds a message (text or ArrayBuffer); returns the frames that it completes. Throws where it is not STOMP. */
  push(data) {
    const octets = joined(this.#rest, typeof data === "string" ? encoder.encode(data) : new Uint8Array(data));
    const frames = [];
    let start = 0;
    for (;;) {
      // Line ends between frames are heart-beats.
      while (octets[start] === LF || octets[start] === CR) start += 1;
      const found = readFrame(octets, start);
      if (!found) break;
      frames.push(found.frame);
      start = found.end;
    }
    this.#rest = octets.slice(start);
    if (this.#rest.length > LARGEST_FRAME) throw new Error("a frame without end");
    return frames;
  }
}

function joined(first, second) {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The frame that begins at `start`, and where it ends; undefined while a part of it is missing. */
function readFrame(octets, start) {
  const blank = blankLine(octets, start);
  if (!blank) return undefined;
  const [command, ...lines] = decoder.decode(octets.subarray(start, blank.at)).split(/\r?\n/);
  const headers = readHeaders(lines, command === "CONNECTED" ? String : unescape);
  const length = headers.get("content-length");
  if (length !== undefined && !/^\d+$/.test(length)) throw new Error(`content-length is ${length}`);
  const end = length === undefined ? octets.indexOf(NUL, blank.next) : blank.next + Number(length);
  if (end === -1 || end >= octets.length) return undefined;
  if (octets[end] !== NUL) throw new Error("no NUL behind the body");
  return { frame: { command, headers, body: decoder.decode(octets.subarray(blank.next, end)) }, end: end + 1 };
}

function readHeaders(lines, read) {
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error("a header without a name or a colon");
    const name = read(line.slice(0, colon));
    // Of repeated headers the first counts.
    if (!headers.has(name)) headers.set(name, read(line.slice(colon + 1)));
  }
  return headers;
}

/** The blank line between head and body: where the head ends, and where the body begins. */
function blankLine(octets, start) {
  for (let end = octets.indexOf(LF, start); end !== -1; end = octets.indexOf(LF, end + 1)) {
    const at = octets[end - 1] === CR ? end - 1 : end;
    if (octets[end + 1] === LF) return { at, next: end + 2 };
    if (octets[end + 1] === CR && octets[end + 2] === LF) return { at, next: end + 3 };
  }
  return undefined;
}

function escape(text) {
  return String(text).replace(/[\\\n\r:]/g, (char) => ESCAPES[char]);
}

/** In one pass from left to right: `\\n` is a backslash and the letter n. */
function unescape(text) {
  return text.replace(/\\[\s\S]?/g, (escaped) => {
    if (!Object.hasOwn(UNESCAPES, escaped)) throw new Error(`undefined escape ${escaped}`);
    return UNESCAPES[escaped];
  });
}
