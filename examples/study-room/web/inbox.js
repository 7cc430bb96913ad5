// With whom one writes alone, and what of it is unread. No DOM, no socket: it runs in tests as it is.

const MOST = 100; // conversations, as many as the server lists
const MOST_UNREAD = 100; // as the server counts them

/** Conversations of `myId`: `{ id, name, last_id, last_author, last_text, last_at, unread }`. Tells `change` of every change. */
export class Inbox extends EventTarget {
  #myId;
  #conversations = new Map(); // by the other one's id

  constructor(myId) {
    super();
    this.#myId = myId;
  }

  /** Newest first. */
  get conversations() {
    return [...this.#conversations.values()].sort((one, other) => other.last_id - one.last_id);
  }

  /** Conversations with something unread in them. */
  get unread() {
    return this.conversations.filter(({ unread }) => unread > 0).length;
  }

  /** Takes what the server says of all. */
  load(conversations) {
    this.#conversations = new Map(conversations.map((conversation) => [conversation.id, conversation]));
    this.#changed();
  }

  /** Takes one live message; none counts twice. */
  message({ id, author_id: authorId, author, recipient_id: recipientId, recipient, text, sent_at: sentAt }) {
    const isOwn = authorId === this.#myId;
    const [otherId, name] = isOwn ? [recipientId, recipient] : [authorId, author];
    const known = this.#conversations.get(otherId) ?? { last_id: 0, unread: 0 };
    if (id <= known.last_id) return;
    const unread = isOwn ? known.unread : Math.min(MOST_UNREAD, known.unread + 1);
    const last = { last_id: id, last_author: author, last_text: text, last_at: sentAt };
    this.#conversations.set(otherId, { id: otherId, name, ...last, unread });
    if (this.#conversations.size > MOST) this.#conversations.delete(this.conversations.at(-1).id);
    this.#changed();
  }

  /** All up to a message was read, in this tab or another. What came after it is still counted, as one at least. */
  read({ with: otherId, up_to: upTo }) {
    const known = this.#conversations.get(otherId);
    if (!known || known.unread === 0) return;
    known.unread = upTo >= known.last_id ? 0 : Math.min(known.unread, known.last_id - upTo);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Unread messages in a badge. */
export function countInWords(count) {
  return count >= MOST_UNREAD ? `${MOST_UNREAD - 1}+` : String(count);
}
