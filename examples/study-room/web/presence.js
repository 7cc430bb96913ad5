// Who is here, with which status: a snapshot, and the diffs behind it. No DOM, no socket: it runs in tests as it is.
//
//   { type: "snapshot", version, members: [{ user, name, status }] }
//   { type: "diff", version, previous, joined, updated, left: [{ user, status }] }       follows on `previous`; 0 is nobody

const MOST_GONE = 20; // people who left while we looked

/** What a status is called. */
export const WORDS = { STUDYING: "Studying", BREAK: "Break", AWAY: "Away", OFFLINE: "Offline" };

const inOrder = new Intl.Collator(undefined, { sensitivity: "base", numeric: true }).compare;

/** Those who are here, and those who left while we looked. */
export class Attendance {
  #version = 0;
  #here = new Map(); // by user
  #gone = new Map(); // by user, who left first first

  /** Takes what the server says; false where something before it is missing, so that a new snapshot is needed. */
  take(told) {
    if (told.type === "snapshot" || told.previous === 0) this.#here.clear();
    else if (told.previous > this.#version) return false;
    if (told.type === "snapshot") this.#gone.clear();
    for (const member of [...(told.members ?? told.joined), ...(told.updated ?? [])]) {
      this.#here.set(member.user, member);
      this.#gone.delete(member.user);
    }
    for (const { user, status } of told.left ?? []) this.#leave(user, status);
    this.#version = told.version;
    return true;
  }

  /** How many are here. */
  get count() {
    return this.#here.size;
  }

  /** What somebody does; undefined of whoever is not here. */
  statusOf(user) {
    return this.#here.get(user)?.status;
  }

  /** Everyone, `me` first, then by name, and last those who left. */
  people(me) {
    const byName = (one, other) => (other.user === me) - (one.user === me) || inOrder(one.name, other.name);
    return [...[...this.#here.values()].sort(byName), ...[...this.#gone.values()].sort(byName)];
  }

  #leave(user, status) {
    const member = this.#here.get(user);
    if (!member) return;
    this.#here.delete(user);
    this.#gone.set(user, { ...member, status });
    if (this.#gone.size > MOST_GONE) this.#gone.delete(this.#gone.keys().next().value);
  }
}
