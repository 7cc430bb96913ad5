// What the pages have in common: who I am, the way out, errors beside what they are about.

import * as api from "./api.js";
import { watchLogin } from "./expiry.js";
import { face } from "./text.js";

// One way out is enough: logging out also ends the connection, which must not send us elsewhere.
let isLeaving = false;

/** Fills in the header; sends whoever is not logged in to the door. Resolves only with somebody. */
export async function enterPage() {
  let me;
  try {
    me = await api.me();
  } catch (error) {
    if (error.status === 401) leave("token-expired");
    else complain(document.querySelector("#problem"), `${error.message} Then reload this page.`);
    return new Promise(() => {});
  }
  document.querySelector("#me").prepend(face(me.name));
  document.querySelector("#my-name").replaceChildren(accountLink(me.name));
  document.querySelector("#log-out").addEventListener("click", (event) => logOut(event));
  watchLogin(me.expires_in, {
    ...api,
    leave,
    complain: (sentence) => complain(document.querySelector("#problem"), sentence),
  });
  return me;
}

/** Back to the door, which says why and leads here again. */
export function leave(why) {
  if (isLeaving) return;
  isLeaving = true;
  location.replace(`/?${new URLSearchParams({ next: location.pathname, why })}`);
}

/** A sentence in a live region; an empty one takes it away. */
export function complain(element, sentence) {
  element.textContent = sentence;
  element.hidden = sentence === "";
}

/**
 * Puts each fault, `{ field, message }`, beside its field, or where the form has none for it, in `general`. Goes where the first
 * can be mended.
 */
export function complainOf(form, faults, general) {
  for (const { field: name, message } of faults) {
    const field = form.elements[name];
    const place = field && form.querySelector(`#${field.id}-error`);
    if (place) field.setAttribute("aria-invalid", "true");
    complain(place ?? general, message);
  }
  form.querySelector("[aria-invalid]")?.focus();
}

/** Takes all errors of a form away. */
export function forgive(form) {
  for (const error of form.querySelectorAll(".error")) complain(error, "");
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function accountLink(name) {
  const link = document.createElement("a");
  link.href = "/account";
  link.textContent = name;
  link.title = "Your account";
  return link;
}

/** Ends this login, or whatever `end` ends, and goes to the door. */
export async function logOut({ currentTarget: button }, end = api.logOut) {
  isLeaving = true;
  button.disabled = true;
  try {
    await end();
    location.assign("/");
  } catch (error) {
    isLeaving = false;
    button.disabled = false;
    complain(document.querySelector("#problem"), `You are still logged in. ${error.message}`);
  }
}
