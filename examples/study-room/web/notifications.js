// Where notifications come from: over the page's WebSocket where it has one that lives, else from the event stream that all tabs
// share. Either begins with what is unread, so a change from one to the other loses nothing.

import * as api from "./api.js";
import { Mailbox } from "./mailbox.js";
import { leave } from "./page.js";
import { connectTo, SharedStream } from "./sse.js";

const QUEUE = "/user/queue/notifications";
const NAMES = ["unread", "notification", "acknowledged"];
const TOLD_AT_DOOR = ["banned", "token-expired"]; // other ends of a login are log-outs elsewhere
const PATIENCE = 10_000; // milliseconds that a WebSocket may be away before the stream takes over

/** The mailbox of `me`, kept true from now on; `client` is the page's STOMP client, if it has one. */
export function mailboxOf(me, client) {
  const mailbox = new Mailbox();
  let beginning = 0;

  async function load(page) {
    const own = beginning;
    let { notifications, more } = page;
    while (more && own === beginning) {
      const next = await api.unread(notifications.at(-1)?.id);
      if (own !== beginning) return;
      mailbox.page(next);
      ({ notifications, more } = next);
    }
  }

  function heard(event) {
    if (event.type === "notification") mailbox.add(event);
    if (event.type === "acknowledged") mailbox.acknowledged(event.ids);
    if (event.type !== "unread") return;
    beginning += 1;
    mailbox.begin();
    mailbox.page(event);
    // Where the rest does not come, the next beginning brings it.
    load(event).catch(() => {});
  }

  const stream = new SharedStream({
    name: `notifications:${me.id}`,
    connect: connectTo(`/events?destination=${QUEUE}`, NAMES, {
      isLoggedIn: api.isLoggedIn,
      onOver: (code) => leave(TOLD_AT_DOOR.includes(code) ? code : "logged-out"),
      // Through a channel of its own, so that this page hears it too: the server's clock is the one that counts.
      onExpiring: (left) => {
        const tabs = new BroadcastChannel("login");
        tabs.postMessage(left);
        tabs.close();
      },
    }),
    onEvent: heard,
    onJoined: () => load({ notifications: [], more: true }).catch(() => {}),
  });
  if (client) preferSocket(client, stream, heard);
  else keepOpen(stream);
  return mailbox;
}

function preferSocket(client, stream, heard) {
  let timer;
  client.subscribe(QUEUE, ({ body }) => heard(JSON.parse(body)));
  client.addEventListener("state", ({ detail: state }) => {
    clearTimeout(timer);
    if (state === "connected" || state === "ended") stream.stop();
    else timer = setTimeout(() => stream.start(), PATIENCE);
  });
}

/** A page that the browser keeps in its cache must not hold the stream; it comes back with the page. */
function keepOpen(stream) {
  addEventListener("pagehide", () => stream.stop());
  addEventListener("pageshow", ({ persisted }) => persisted && stream.start());
  stream.start();
}
