// The connection of a page: opened with it, closed with it, and what is said when it ends for good.

import * as api from "./api.js";
import { leave } from "./page.js";
import { StompClient } from "./stomp.js";

const SENTENCES = {
  banned: "An administrator has banned you from this study room",
  "logged-out": "You were logged out elsewhere",
  "token-expired": "Your session has ended",
};

/** A client of the study room, not opened yet. `onFailed(sentence)` is told what will not come back by itself. */
export function newClient(onFailed) {
  const client = new StompClient(`${location.origin.replace(/^http/, "ws")}/ws`, api.isLoggedIn);
  client.addEventListener("state", ({ detail: state }) => {
    if (state !== "ended" || client.reason === "closed") return;
    const { reason } = client;
    onFailed(SENTENCES[reason] ?? "The server has ended this connection. Reload the page to come back.");
    if (reason in SENTENCES) leave(reason);
  });
  client.addEventListener("refused", ({ detail: error }) => onFailed(error.message));
  // A page that the browser keeps in its cache has no connection; it comes back with the page.
  addEventListener("pagehide", () => client.close());
  addEventListener("pageshow", ({ persisted }) => persisted && client.open());
  return client;
}
