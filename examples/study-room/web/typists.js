// Who is typing, and when to say that we do. No DOM, no clock of its own: it runs in tests as it is.

// In milliseconds.
const SHOWN = 6_000; // somebody of whom nothing more is heard is forgotten
const AGAIN = 3_000; // until we say it again; below half of the above, so that one lost signal does not blink

const MOST = 50; // people that are remembered: the line has room for one name and a number

/** Those of whom we heard that they type. */
export class Typists {
  #until = new Map(); // by name, the first to begin first

  /** Somebody types, or stopped, at a time of our own clock. */
  heard({ author, typing }, now) {
    if (!typing) this.#until.delete(author);
    else if (this.#until.has(author) || this.#until.size < MOST) this.#until.set(author, now + SHOWN);
  }

  /** What somebody typed has come. */
  said(author) {
    this.#until.delete(author);
  }

  /** Their names. */
  at(now) {
    for (const [name, until] of this.#until) if (until <= now) this.#until.delete(name);
    return [...this.#until.keys()];
  }

  /** Milliseconds until somebody is forgotten; undefined where nobody types. */
  untilNext(now) {
    const times = [...this.#until.values()];
    return times.length > 0 ? Math.max(0, Math.min(...times) - now) : undefined;
  }
}

/** The line: never longer than two names and a number. */
export function inWords(names) {
  const [first, second, ...others] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing`;
  if (others.length === 0) return `${first} and ${second} are typing`;
  return `${first} and ${names.length - 1} others are typing`;
}

/** What to tell the others of our own typing. */
export class TypingSignal {
  #last; // when we said that we type; undefined while the others do not think so

  /** The field has changed: true or false is what to say, undefined that there is nothing new. */
  changed(text, now) {
    if (text.trim() === "") return this.stopped();
    if (this.#last !== undefined && now - this.#last < AGAIN) return undefined;
    this.#last = now;
    return true;
  }

  /** Nothing is being typed any more. */
  stopped() {
    if (this.#last === undefined) return undefined;
    this.#last = undefined;
    return false;
  }

  /** It was sent: the message itself tells the others that it is typed. */
  sent() {
    this.#last = undefined;
  }
}
