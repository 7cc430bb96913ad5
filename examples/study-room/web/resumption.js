// Where a subscription stands, so that it goes on there after a loss. No DOM, no socket: it runs in tests as it is.
//
//   MESSAGE   position:p        where a destination has a history; p is the server's and says nothing to us
//   SUBSCRIBE resume-from:p     with the last one that was seen
//   RECEIPT   position:p        the place where it begins, for whoever is cut off before the first MESSAGE
//   RECEIPT, or first MESSAGE   recovered:true, what was missed follows; recovered:false, the server no longer has it
//
// Of a server that sends no positions nothing is asked, and whoever subscribes begins anew.

const REMEMBERED = 1_000; // positions, so that a message is told from its repetition

/** The positions of one subscription. `headers` of frames are Maps. */
export class Resumption {
  #last;
  #seen = new Set(); // oldest first
  #isAsked = false;
  #isPlaced = false; // by a message, since the last SUBSCRIBE

  /** What the next SUBSCRIBE says: nothing while no position is known. */
  headers() {
    this.#isAsked = this.#last !== undefined;
    this.#isPlaced = false;
    return this.#isAsked ? { "resume-from": this.#last } : {};
  }

  /** What a RECEIPT or MESSAGE answers, once for each question: "resumed" or "lost"; undefined where it says nothing new. */
  answer(headers) {
    const recovered = headers.get("recovered");
    if (!this.#isAsked || recovered === undefined) return undefined;
    this.#isAsked = false;
    if (recovered === "true") return "resumed";
    this.#last = undefined;
    this.#seen.clear();
    return "lost";
  }

  /** Takes the place that a RECEIPT names, unless a message that lies behind it was faster. */
  begin(headers) {
    if (!this.#isPlaced) this.#last = headers.get("position") ?? this.#last;
  }

  /** Takes a MESSAGE; false where it was taken before. */
  take(headers) {
    const position = headers.get("position");
    if (position === undefined) return true;
    if (this.#seen.has(position)) return false;
    this.#seen.add(position);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value);
    this.#last = position;
    this.#isPlaced = true;
    return true;
  }
}
