// What somebody should hear of: unread, and read while the page was open. No DOM, no network: it runs in tests as it is.
//
//   unread        begins every stream: what is not in it, or in the pages that follow it, was read elsewhere
//   notification  a new one; the same id is the same notification, however often it comes
//   acknowledged  read here or elsewhere: gone for good, whatever crosses it on the way

const MOST = 200; // unread ones, as many as the server keeps
const MOST_READ = 20;
const REMEMBERED = 500; // ids that were acknowledged

/** Notifications `{ id, kind, payload, at }`. Events: `change`, and `arrived` with one that is new. */
export class Mailbox extends EventTarget {
  #unread = new Map(); // by id
  #unconfirmed = new Set(); // ids that the server has not named since the stream began
  #read = []; // newest first
  #acknowledged = new Set(); // ids, oldest first

  /** Newest first. */
  get unread() {
    return [...this.#unread.values()].sort(newestFirst);
  }

  /** Newest first. */
  get read() {
    return [...this.#read];
  }

  /** A stream begins anew: what is shown holds until the last page has come. */
  begin() {
    this.#unconfirmed = new Set(this.#unread.keys());
  }

  /** Takes a page of unread ones. */
  page({ notifications, more }) {
    for (const notification of notifications) this.#keep(notification);
    if (!more) this.#forget([...this.#unconfirmed]);
    this.#changed();
  }

  /** Takes a live one. */
  add(notification) {
    if (!this.#keep(notification)) return;
    this.#changed();
    this.dispatchEvent(new CustomEvent("arrived", { detail: notification }));
  }

  /** These were read, in this tab or another. */
  acknowledged(ids) {
    this.#forget(ids);
    this.#changed();
  }

  /** Whether it is new. */
  #keep(notification) {
    const { id } = notification;
    this.#unconfirmed.delete(id);
    if (this.#acknowledged.has(id)) return false;
    const isNew = !this.#unread.has(id);
    this.#unread.set(id, notification);
    if (this.#unread.size > MOST) this.#unread.delete(this.unread.at(-1).id);
    return isNew && this.#unread.has(id);
  }

  #forget(ids) {
    for (const id of ids) {
      const notification = this.#unread.get(id);
      if (notification) this.#read.push(notification);
      this.#unread.delete(id);
      this.#unconfirmed.delete(id);
      this.#acknowledged.add(id);
      if (this.#acknowledged.size > REMEMBERED) this.#acknowledged.delete(this.#acknowledged.values().next().value);
    }
    this.#read = this.#read.sort(newestFirst).slice(0, MOST_READ);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Ids are numbers in texts, too large for JavaScript's. */
function newestFirst({ id: one }, { id: other }) {
  if (one.length !== other.length) return other.length - one.length;
  if (one === other) return 0;
  return one < other ? 1 : -1;
}
