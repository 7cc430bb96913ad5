// What the pages inside have in common: who I am, and the way out.

import * as api from "./api.js";

/** Fills in the header; sends whoever is not logged in to the door. */
export async function enterPage() {
  let me;
  try {
    me = await api.me();
  } catch (error) {
    if (error.status === 401) leave("");
    throw error;
  }
  document.querySelector("#my-name").textContent = me.name;
  document.querySelector("#log-out").addEventListener("click", async () => {
    await api.logOut().catch(() => undefined);
    location.assign("/");
  });
  return me;
}

/** Back to the door, and from there to this page again. */
export function leave(why) {
  const query = new URLSearchParams({ next: location.pathname });
  if (why) query.set("why", why);
  location.replace(`/?${query}`);
}

/** Shows an error in a live region. */
export function complain(element, message) {
  element.textContent = message;
  element.hidden = message === "";
}
