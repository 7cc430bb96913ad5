// The focus timer's arithmetic: the server's clock from our own, and what a timer shows at a moment. No DOM, no clock of its own:
// it runs in tests as it is.

const SECOND = 1_000;
const MINUTE = 60_000;
const SAMPLES = 8; // of the server's clock that are remembered
const FRESH = 30_000; // milliseconds after an end in which it is still worth a sound

/**
 * What the server's clock says. Every message from it was a while on its way, so each makes its clock look slow by that while: of
 * the last ones the fastest is the nearest to the truth.
 */
export class ServerClock {
  #ahead = []; // milliseconds, of the last messages

  /** The server's clock said `server` in a message that came now, when ours says `own`. */
  heard(server, own) {
    this.#ahead.push(server - own);
    if (this.#ahead.length > SAMPLES) this.#ahead.shift();
  }

  /** After a sleep or a long loss our own clock may be another. */
  forget() {
    this.#ahead = [];
  }

  /** What it says when ours says `own`. */
  at(own) {
    return own + (this.#ahead.length > 0 ? Math.max(...this.#ahead) : 0);
  }
}

/**
 * What a timer shows at a time of the server: `{ phase, word, left, share }`, with the milliseconds that are left, and which share
 * of the phase they are. `minutes` is how long a round would be where none is under way.
 */
export function shownAt(timer, now, minutes) {
  if (timer.state === "ready") return { phase: "ready", word: "Ready", left: minutes * MINUTE, share: 1 };
  const length = timer[timer.phase] * MINUTE;
  const left = timer.state === "paused" ? timer.left : Math.min(length, Math.max(0, timer.ends_at - now));
  const name = timer.phase === "focus" ? "Focus" : "Break";
  const word = timer.state === "paused" ? `${name}, paused` : name;
  return { phase: timer.phase, word, left, share: left / length };
}

/** "24:59": a second that has begun is counted, so that it ends with 0:00 and not a second later. */
export function digits(left) {
  const seconds = Math.ceil(left / SECOND);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** "12 min", as long as they have begun. */
export function minutesOf(left) {
  return `${Math.ceil(left / MINUTE)} min`;
}

/** Milliseconds until the digits change. */
export function untilNext(left) {
  return left % SECOND || SECOND;
}

/** Tells each end of a phase once, whether the clock finds it or a message brings it. */
export class Ends {
  #told;

  /** "focus" or "break" where it has just ended; an end that was long ago when the page woke up is none. */
  of(timer, now) {
    if (timer.state !== "running" || now < timer.ends_at || timer.ends_at === this.#told) return undefined;
    this.#told = timer.ends_at;
    return now - timer.ends_at < FRESH ? timer.phase : undefined;
  }
}
